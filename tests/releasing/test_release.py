"""A release is made as documented, or refused with the reason; then all is as it was."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import commit_all
from release import main
from versions import CHANGELOG, PROJECT, QUESTIONS, Repository, check

from .templates import STRAYS, git, write


@pytest.fixture
def refused(repository: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[str], str]:
    """Ask for a release that must be refused, and change nothing; gives what was said."""

    def refused(version: str) -> str:
        state = (git(repository, "log", "--format=%H"), git(repository, "tag"))
        dirty = git(repository, "status", "--porcelain")
        assert main([version], repository) == 1
        assert (git(repository, "log", "--format=%H"), git(repository, "tag")) == state
        assert git(repository, "status", "--porcelain") == dirty
        return capsys.readouterr().err

    return refused


def test_a_release_is_a_commit_and_a_tag_and_pushes_nothing(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["0.2.0"], repository) == 0
    assert "git push --atomic origin main v0.2.0" in capsys.readouterr().out
    assert json.loads((repository / QUESTIONS).read_text())["_template_version"] == "0.2.0"
    assert 'version = "0.2.0"' in (repository / PROJECT).read_text()
    assert git(repository, "log", "-1", "--format=%s") == "Release 0.2.0"
    assert git(repository, "show", "-1", "--name-only", "--format=").split() == [QUESTIONS, PROJECT]
    assert git(repository, "describe", "--tags") == "v0.2.0"
    assert git(repository, "tag", "--list", "--format=%(contents)", "v0.2.0").endswith(
        "What 0.2.0 brings."
    )
    assert git(repository, "status", "--porcelain") == ""
    assert check(Repository(repository)) == ([], [])
    assert main(["--check"], repository) == 0


def test_the_first_version_is_tagged_where_it_stands(tmp_path: Path, repository: Path) -> None:
    folder = tmp_path / "first"
    folder.mkdir()
    write(folder, "0.1.0", "0.1.0")
    commit_all(folder, "First")
    assert check(Repository(folder)) == (
        [],
        ["There is no version tag here, so only the files were compared."],
    )
    head = git(folder, "rev-parse", "HEAD")
    assert main(["0.1.0"], folder) == 0
    assert git(folder, "rev-parse", "HEAD", "v0.1.0^{commit}").split() == [head, head]
    assert check(Repository(folder)) == ([], [])


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("", "is no version"),
        ("v0.2.0", "is no version"),
        ("0.2", "is no version"),
        ("0.02.0", "is no version"),
        ("0.2.0rc1", "is no version"),
        ("0.1.0", "v0.1.0 is there already"),
        ("0.0.9", "0.0.9 is older than 0.1.0"),
        ("0.3.0", "nothing under '## 0.3.0'"),
    ],
)
def test_what_is_no_next_version_is_refused(
    refused: Callable[[str], str], version: str, said: str
) -> None:
    assert said in refused(version)


def test_another_branch_is_refused(repository: Path, refused: Callable[[str], str]) -> None:
    git(repository, "checkout", "-q", "-b", "other")
    assert "This is other, and releases are made on main." in refused("0.2.0")
    git(repository, "checkout", "-q", "--detach")
    assert "This is no branch" in refused("0.2.0")


def test_no_release_is_made_beside_a_tag_that_copier_would_update_to(
    repository: Path, refused: Callable[[str], str]
) -> None:
    for tag in STRAYS:
        git(repository, "tag", tag)
    said = refused("0.2.0")
    assert said.count("copier takes the tag") == 4 and "last-good" not in said
    git(repository, "tag", "-d", *re.findall("git tag -d (.*)", said))
    assert main(["0.2.0"], repository) == 0


@pytest.mark.parametrize("name", ["new.txt", QUESTIONS])
def test_a_dirty_tree_is_refused(
    repository: Path, refused: Callable[[str], str], name: str
) -> None:
    with (repository / name).open("a") as file:
        file.write("\n")
    said = refused("0.2.0")
    assert "not committed" in said and name in said


def test_a_changelog_that_says_nothing_or_has_lines_left_is_refused(
    repository: Path, refused: Callable[[str], str]
) -> None:
    path = repository / CHANGELOG
    whole = path.read_text()
    path.write_text(whole.replace("What 0.2.0 brings.", ""))
    commit_all(repository, "Empty")
    assert "nothing under '## 0.2.0'" in refused("0.2.0")
    path.write_text(whole.replace("## 0.2.0", "## Unreleased\n\nMore.\n\n## 0.2.0"))
    commit_all(repository, "Left")
    assert "still has lines under '## Unreleased'" in refused("0.2.0")
    path.write_text(whole.replace("## 0.2.0", "## Unreleased\n\n## 0.2.0"))
    commit_all(repository, "None left")
    assert main(["0.2.0"], repository) == 0


def test_a_commit_that_fails_leaves_the_files_as_they_were(
    repository: Path, refused: Callable[[str], str]
) -> None:
    hook = repository / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'not today' >&2\nexit 1\n")
    hook.chmod(0o755)
    assert "git commit failed: not today" in refused("0.2.0")


def test_a_release_that_git_cannot_commit_or_tag_leaves_all_as_it_was(
    repository: Path, refused: Callable[[str], str]
) -> None:
    lock = repository / ".git" / "index.lock"
    lock.touch()
    said = refused("0.2.0")
    assert "git commit failed" in said and "Nothing was released, and all is as it was." in said
    lock.unlink()
    git(repository, "config", "tag.gpgSign", "true")
    git(repository, "config", "gpg.program", "false")
    said = refused("0.2.0")
    assert "git tag failed" in said and "Nothing was released, and all is as it was." in said
    git(repository, "config", "tag.gpgSign", "false")
    assert main(["0.2.0"], repository) == 0


def test_ctrl_c_leaves_all_as_it_was(
    repository: Path, refused: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Repository.git

    def interrupted(self: Repository, *arguments: str) -> str:
        said = asked(self, *arguments)
        if arguments[:2] == ("tag", "--annotate"):
            raise KeyboardInterrupt
        return said

    monkeypatch.setattr(Repository, "git", interrupted)
    said = refused("0.2.0")
    assert said == "Interrupted.\nNothing was released, and all is as it was.\n"


def test_where_no_version_stands_the_first_release_sets_it(
    repository: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "first"
    folder.mkdir()
    write(folder, "next", "0.1.0")
    commit_all(folder, "First")
    assert main(["0.1.0"], folder) == 0
    assert check(Repository(folder)) == ([], [])


def test_the_tag_says_the_whole_section_also_what_looks_like_a_comment(repository: Path) -> None:
    path = repository / CHANGELOG
    section = "### Added\n\n- A thing.\n\n#12 is mended."
    path.write_text(path.read_text().replace("What 0.2.0 brings.", section))
    commit_all(repository, "Heads")
    assert main(["0.2.0"], repository) == 0
    told = git(repository, "tag", "--list", "--format=%(contents)", "v0.2.0")
    assert told == f"0.2.0\n\n{section}"


@pytest.mark.parametrize("first", [True, False])
def test_what_is_printed_takes_back_the_release_and_nothing_else(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], first: bool
) -> None:
    folder = tmp_path / "first" if first else repository
    if first:
        folder.mkdir()
        write(folder, "0.2.0", "0.2.0")
        commit_all(folder, "First")
    state = (git(folder, "rev-parse", "HEAD"), git(folder, "tag"))
    assert main(["0.2.0"], folder) == 0
    command = capsys.readouterr().out.splitlines()[-1]
    assert ("reset" in command) is not first
    subprocess.run(["sh", "-c", command], cwd=folder, check=True)
    assert (git(folder, "rev-parse", "HEAD"), git(folder, "tag")) == state
    assert git(folder, "status", "--porcelain") == ""
