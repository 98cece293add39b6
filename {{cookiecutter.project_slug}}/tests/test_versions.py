"""The version that a deployment bears: with git, without it, and with changes not committed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from blueprint.versions import version

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="NOT RUN: there is no git")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "repository" / "project"
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[project]\nversion = "2.1"\n', "utf-8")
    (folder / "prefect.yaml").write_text("name: x\n", "utf-8")
    return folder


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "init.defaultBranch=main", "-c", "user.name=t", "-c", "user.email=t@t"]
    done = subprocess.run(
        ["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_without_a_repository_it_is_the_projects_own(project: Path) -> None:
    assert version(project) == "2.1"


def test_without_git_it_is_the_projects_own(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert version(project) == "2.1"


@needs_git
def test_with_git_it_names_the_commit_and_whether_all_is_committed(project: Path) -> None:
    git(project, "init", "-q")
    assert version(project) == "2.1"  # nothing is committed
    git(project, "add", ".")
    assert version(project) == "2.1"
    git(project, "commit", "-qm", "first")
    commit = git(project, "rev-parse", "--short=12", "HEAD")
    assert version(project) == f"2.1+g{commit}"
    (project / "new.py").write_text("", "utf-8")
    assert version(project) == f"2.1+g{commit}.dirty"


@needs_git
def test_only_this_folder_of_a_larger_repository_counts(project: Path) -> None:
    around = project.parent
    git(around, "init", "-q")
    (around / "other.txt").write_text("a", "utf-8")
    git(around, "add", "other.txt")
    git(around, "commit", "-qm", "first")
    assert version(project) == "2.1"  # it is no part of that repository
    git(around, "add", ".")
    git(around, "commit", "-qm", "second")
    (around / "other.txt").write_text("b", "utf-8")
    assert version(project) == f"2.1+g{git(around, 'rev-parse', '--short=12', 'HEAD')}"


@needs_git
def test_a_git_hooks_own_variables_do_not_mislead_it(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(project, "init", "-q")
    git(project, "add", ".")
    git(project, "commit", "-qm", "first")
    expected = version(project)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert version(project) == expected != "2.1"
