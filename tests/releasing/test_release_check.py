"""Tags, versions and changelog agree, and whatever does not agree in them is found."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT, commit_all
from release import main
from versions import CHANGELOG, PROJECT, QUESTIONS, Repository, check

from .templates import STRAYS, git, write


def found(folder: Path) -> list[str]:
    return check(Repository(folder))[0]


def test_this_repository_agrees_with_its_tags() -> None:
    faults, notes = check(Repository(ROOT))
    assert faults == []
    assert main(["--check"]) == 0
    for note in notes:
        # Shown at the end of the tests: a clone without tags compares nothing with them.
        warnings.warn(note, stacklevel=1)


def _version_forgotten(folder: Path) -> None:
    git(folder, "tag", "v0.2.0")


def _project_forgotten(folder: Path) -> None:
    text = (folder / PROJECT).read_text()
    write(folder, "0.2.0", "0.2.0", "0.1.0")
    (folder / PROJECT).write_text(text)
    commit_all(folder, "Half", tag="v0.2.0")


def _changelog_forgotten(folder: Path) -> None:
    write(folder, "0.2.0", "0.1.0")
    commit_all(folder, "No changelog", tag="v0.2.0")


def _changelog_empty(folder: Path) -> None:
    write(folder, "0.2.0", "0.2.0", "0.1.0")
    path = folder / CHANGELOG
    path.write_text(path.read_text().replace("What 0.2.0 brings.", ""))
    commit_all(folder, "Empty changelog", tag="v0.2.0")


def _tag_forgotten(folder: Path) -> None:
    write(folder, "0.2.0", "0.2.0", "0.1.0")
    commit_all(folder, "No tag")


def _tag_elsewhere(folder: Path) -> None:
    git(folder, "checkout", "-q", "-b", "other")
    write(folder, "0.2.0", "0.2.0", "0.1.0")
    commit_all(folder, "Elsewhere", tag="v0.2.0")
    git(folder, "checkout", "-q", "main")
    write(folder, "0.2.0", "0.2.0", "0.1.0")
    commit_all(folder, "Here")


def _gone_back(folder: Path) -> None:
    assert main(["0.2.0"], folder) == 0
    write(folder, "0.1.0", "0.1.0")
    commit_all(folder, "Back")


def _out_of_order(folder: Path) -> None:
    write(folder, "0.2.0", "0.2.0", "0.1.0", "0.1.5")
    commit_all(folder, "Order", tag="v0.2.0")


def _strays(folder: Path) -> None:
    for tag in STRAYS:
        git(folder, "tag", tag)


def _released_untold(folder: Path) -> None:
    assert main(["0.2.0"], folder) == 0
    write(folder, "0.2.0", "0.2.0")
    commit_all(folder, "One is lost")


def _told_unreleased(folder: Path) -> None:
    assert main(["0.2.0"], folder) == 0
    write(folder, "0.2.0", "0.2.0", "0.1.5", "0.1.0")
    commit_all(folder, "One is made up")


def _dated(folder: Path) -> None:
    path = folder / CHANGELOG
    path.write_text(path.read_text().replace("## 0.2.0", "## 0.2.0 (2026-11-01)"))


def _broken(folder: Path) -> None:
    path = folder / QUESTIONS
    path.write_text(path.read_text().replace("}\n", ",}\n"))


def _no_version(folder: Path) -> None:
    write(folder, "next", "0.1.0")
    commit_all(folder, "No version")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_version_forgotten, "at the tag v0.2.0, cookiecutter.json says 0.1.0, not 0.2.0"),
        (_project_forgotten, "pyproject.toml says 0.1.0, not 0.2.0"),
        (_changelog_forgotten, "CHANGELOG.md has no section '## 0.2.0'"),
        (_changelog_empty, "CHANGELOG.md says nothing under '## 0.2.0'"),
        (_tag_forgotten, "cookiecutter.json says 0.2.0, which has no tag"),
        (_tag_elsewhere, "the tag v0.2.0 is not in the history of this commit"),
        (_gone_back, "cookiecutter.json says 0.1.0, though 0.2.0 was released before"),
        (_out_of_order, "are not in order"),
        (_strays, "copier takes the tag v0.3 for a version"),
        (_strays, "copier takes the tag 1.0.0 for a version"),
        (_strays, "copier takes the tag v2.0.0.post1 for a version"),
        (_released_untold, "CHANGELOG.md has no section '## 0.1.0', though v0.1.0 is a tag"),
        (_told_unreleased, "CHANGELOG.md has a section '## 0.1.5', though there is no such tag"),
        (_dated, "CHANGELOG.md has the head '## 0.2.0 (2026-11-01)'"),
        (_broken, "cookiecutter.json is no JSON"),
        (_no_version, "cookiecutter.json says next: it must be like 1.2.3"),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_each_fault_of_a_history_is_found(
    repository: Path,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[Path], None],
    said: str,
) -> None:
    spoil(repository)
    assert main(["--check"], repository) == 1
    assert said in capsys.readouterr().err


def test_a_section_for_the_next_version_is_no_fault_before_its_release(repository: Path) -> None:
    # The changelog is written first, and the release step asks for it.
    assert found(repository) == []


def test_a_clone_without_tags_or_history_is_compared_as_far_as_it_goes(
    repository: Path, tmp_path: Path
) -> None:
    assert main(["0.2.0"], repository) == 0
    for name, options in (("none", ["--no-tags"]), ("shallow", ["--depth=1"])):
        clone = tmp_path / name
        git(tmp_path, "clone", "-q", *options, f"file://{repository}", str(clone))
        faults, notes = check(Repository(clone))
        assert faults == [] and len(notes) == 1
    write(clone, "0.3.0", "0.2.0", "0.1.0")
    assert any("no section '## 0.3.0'" in one for one in found(clone))


def test_a_copy_that_is_no_repository_is_compared_too(repository: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(repository, tmp_path / "copy", ignore=shutil.ignore_patterns(".git"))
    write(copy, "0.1.0", "0.1.0")
    assert check(Repository(copy))[0] == []
    assert main(["0.2.0"], copy) == 1
