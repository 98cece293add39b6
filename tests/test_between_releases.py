"""A project that was stamped from a commit without a tag: what is noted, and what updates do."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import questions
from conftest import add_line, commit_all
from questions import noted

pytestmark = pytest.mark.slow

VERSION = f"v{questions.VERSION}"


@pytest.fixture
def stamped(small: Path, tmp_path: Path) -> Callable[..., Path]:
    """Stamp as a user, and commit."""

    def stamped(*options: str) -> Path:
        command = [sys.executable, "-m", "cookiecutter", "--no-input", "-o", str(tmp_path)]
        answers = ["create_venv=false", "project_slug=orders"]
        subprocess.run([*command, *options, str(small), *answers], check=True)
        commit_all(tmp_path / "orders", "Stamp")
        return tmp_path / "orders"

    return stamped


def update(project: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """`copier update`; its result is committed where it worked."""
    command = [sys.executable, "-m", "copier", "update", "--defaults", *options]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True)
    if not done.returncode:
        commit_all(project, "Update")
    return done


def behind(project: Path) -> int:
    command = [sys.executable, "-m", "copier", "check-update", "-q"]
    return subprocess.run(command, cwd=project).returncode


def test_without_any_tag_the_hash_is_noted_and_an_update_goes_to_the_head(
    small: Path, stamped: Callable[..., Path]
) -> None:
    project = stamped()
    assert re.fullmatch("[0-9a-f]{7,}", noted(project)["_commit"])
    add_line(small, "More.")
    done = update(project)
    assert done.returncode == 0, done.stderr
    assert (project / "README.md").read_text("utf-8").endswith("\nMore.\n")
    # The first release brings what came since then, and no conflict.
    add_line(small, "Released.", tag=VERSION)
    assert behind(project) == 2
    assert update(project).returncode == 0
    assert noted(project)["_commit"] == VERSION
    assert (project / "README.md").read_text("utf-8").endswith("\nMore.\nReleased.\n")


def test_ahead_of_the_newest_release_a_project_is_current_and_keeps_what_it_has(
    small: Path, stamped: Callable[..., Path]
) -> None:
    add_line(small, "Released.", tag=VERSION)
    add_line(small, "Ahead.")
    project = stamped()
    assert re.fullmatch(rf"{VERSION}-1-g[0-9a-f]+", noted(project)["_commit"])
    assert behind(project) == 0
    done = update(project)
    assert done.returncode == 1
    assert "Downgrades are not supported" in done.stderr
    add_line(small, "Further ahead.")
    done = update(project, "--vcs-ref=HEAD")
    assert done.returncode == 0, done.stderr
    assert noted(project)["_commit"].startswith(f"{VERSION}-2-g")
    add_line(small, "The next.", tag="v99.0.0")
    assert behind(project) == 2
    assert update(project).returncode == 0
    text = (project / "README.md").read_text("utf-8")
    assert text.endswith("\nReleased.\nAhead.\nFurther ahead.\nThe next.\n")


def test_a_version_that_has_no_tag_is_named_by_an_update_that_changes_nothing(
    small: Path, stamped: Callable[..., Path]
) -> None:
    # No hook ran that could have asked git.
    project = stamped("--accept-hooks", "no")
    assert noted(project)["_commit"] == VERSION
    add_line(small, "More.", tag="v99.0.0")
    done = update(project)
    assert done.returncode != 0
    assert VERSION in done.stderr
    status = ["git", "status", "--porcelain"]
    assert subprocess.check_output(status, cwd=project, text=True) == ""
    # As docs/RELEASING.md says.
    first = subprocess.check_output(
        ["git", "rev-list", "--max-parents=0", "HEAD"], cwd=small, text=True
    ).strip()
    path = project / ".copier-answers.yml"
    path.write_text(path.read_text("utf-8").replace(VERSION, first), "utf-8")
    commit_all(project, "The commit that it was stamped from")
    assert update(project).returncode == 0
    assert noted(project)["_commit"] == "v99.0.0"
    assert (project / "README.md").read_text("utf-8").endswith("\nMore.\n")
