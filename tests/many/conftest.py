"""The fleet's tool, and a small template with a release ahead of what is checked out."""

from __future__ import annotations

from pathlib import Path

import pytest
from histories import Template
from teams import Fleet, with_a_release


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


@pytest.fixture(scope="module")
def small(released: Path, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A template of a few files, at v0.2.0, with v0.3.0 tagged ahead of what is checked out."""
    folder = tmp_path_factory.mktemp("small") / "template"
    return with_a_release(Template.small(released, folder))
