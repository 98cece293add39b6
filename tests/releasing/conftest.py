"""A template that has been released once, and is about to be again."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import commit_all

from .templates import write


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Version 0.1.0 was released, and 0.2.0 is in the changelog."""
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Test")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "test@example.com")
    folder = tmp_path / "template"
    folder.mkdir()
    write(folder, "0.1.0", "0.1.0")
    commit_all(folder, "First", tag="v0.1.0")
    write(folder, "0.1.0", "0.2.0", "0.1.0")
    commit_all(folder, "What 0.2.0 brings")
    return folder
