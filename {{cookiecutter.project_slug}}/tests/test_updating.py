"""What a merge made comes into the project whole or not at all, whatever happens meanwhile."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blueprint.project import Problem
from blueprint.updating import answers, bringing, cut_off, drift, preflight, writing
from blueprint.updating.answers import Answers
from blueprint.updating.git import Repository
from blueprint.updating.merging import Merge
from blueprint.updating.trees import Conflict, differences

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="NOT RUN: there is no git")
ANSWERS = Answers("gh:org/template", "v1", {"schedule": "0 9 * * *"})
BEFORE = {
    "a.txt": "one\n",
    "b.txt": "two\n",
    "empties/c.txt": "three\n",
    "run.sh": "#!/bin/sh\n",
    ".gitignore": "kept/\n*.db\n.blueprint/\n",
}


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@t"]
    done = subprocess.run(
        ["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout


def made(folder: Path) -> Path:
    for name, text in BEFORE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "mine")
    return folder


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, with files that git ignores."""
    folder = made(tmp_path / "project")
    for name in ("kept/x", "data.db"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("ours", "utf-8")
    state = folder / ".blueprint"
    for module in (bringing, preflight, writing):
        monkeypatch.setattr(module, "ROOT", folder)
    for module in (cut_off, writing):
        monkeypatch.setattr(module, "STATE", state)
    monkeypatch.setattr(cut_off, "PATH", state / "update-under-way")
    monkeypatch.setattr(preflight, "find", lambda: Repository(folder))
    return folder


@pytest.fixture
def merge(tmp_path: Path) -> Merge:
    """A merge that adds, changes and deletes, changes a mode, and meets what is ignored."""
    folder = made(tmp_path / "merged")
    (folder / "a.txt").write_text("changed\n", "utf-8")
    (folder / "run.sh").chmod(0o755)
    (folder / "empties" / "c.txt").unlink()
    for name in ("new/deep/d.txt", "data.db", "kept/x/y"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("theirs\n", "utf-8")
    (folder / "link").symlink_to("a.txt")
    git(folder, "add", "-A", "-f")
    return Merge(
        folder, ANSWERS, ANSWERS, differences(folder, "HEAD", git(folder, "write-tree").strip())
    )


def state(root: Path) -> dict[str, Any]:
    """All that is there, folders too, and git's index; not what the operations and git keep."""
    found: dict[str, Any] = {"index": git(root, "ls-files", "--stage", "-v")}
    for path in root.rglob("*"):
        if not {".git", ".blueprint"} & set(path.parts):
            content = path.read_bytes() if path.is_file() else None
            found[str(path)] = (path.lstat().st_mode, content)
    return found


def test_it_is_in_the_folder_and_in_the_index_and_what_is_ignored_stays(
    root: Path, merge: Merge
) -> None:
    (root / "a.txt").chmod(0o640)
    done = bringing.bring(Repository(root), merge)
    assert (done.added, done.deleted) == (["link", "new/deep/d.txt"], ["empties/c.txt"])
    assert (done.changed, done.kept) == (["a.txt", "run.sh"], ["data.db", "kept/x/y"])
    assert (root / "a.txt").read_text("utf-8") == "changed\n"
    assert (root / "a.txt").stat().st_mode & 0o777 == 0o640
    assert (root / "run.sh").stat().st_mode & 0o111
    assert (root / "link").readlink() == Path("a.txt")
    assert not (root / "empties").exists()
    assert (root / "kept/x").read_text("utf-8") == (root / "data.db").read_text("utf-8") == "ours"
    assert git(root, "status", "--porcelain").splitlines() == [
        *("M  a.txt", "D  empties/c.txt", "A  link", "A  new/deep/d.txt", "M  run.sh")
    ]
    assert not (root / ".blueprint" / "update-under-way").exists()


def test_a_file_may_become_a_folder_and_a_folder_a_file(root: Path, tmp_path: Path) -> None:
    folder = made(tmp_path / "other")
    (folder / "a.txt").unlink()
    shutil.rmtree(folder / "empties")
    (folder / "a.txt").mkdir()
    (folder / "a.txt" / "deep").write_text("x\n", "utf-8")
    (folder / "empties").write_text("a file\n", "utf-8")
    git(folder, "add", "-A")
    changes = differences(folder, "HEAD", git(folder, "write-tree").strip())
    done = bringing.bring(Repository(root), Merge(folder, ANSWERS, ANSWERS, changes))
    assert (done.added, done.kept) == (["a.txt/deep", "empties"], [])
    assert (root / "a.txt/deep").read_text("utf-8") == "x\n"
    assert (root / "empties").read_text("utf-8") == "a file\n"
    git(root, "restore", "--staged", "--worktree", ".")
    assert {name: (root / name).read_text("utf-8") for name in BEFORE} == BEFORE


@pytest.mark.parametrize("which", range(4))
@pytest.mark.parametrize(
    ("failure", "raised"), [(OSError(28, "No space left"), Problem), (KeyboardInterrupt(), None)]
)
def test_where_it_fails_or_is_stopped_everything_is_as_it_was(
    root: Path,
    merge: Merge,
    monkeypatch: pytest.MonkeyPatch,
    which: int,
    failure: BaseException,
    raised: type[BaseException] | None,
) -> None:
    before, copy, copied = state(root), shutil.copy, []

    def fails(*arguments: Any, **options: Any) -> Any:
        copied.append(arguments)
        if len(copied) > which:
            raise failure
        return copy(*arguments, **options)

    monkeypatch.setattr(shutil, "copy", fails)
    with pytest.raises(raised or type(failure)):
        bringing.bring(Repository(root), merge)
    assert len(copied) == which + 1
    assert state(root) == before
    assert git(root, "status", "--porcelain") == ""
    assert not (root / ".blueprint" / "update-under-way").exists()


def killed(root: Path, merge: Merge, monkeypatch: pytest.MonkeyPatch) -> None:
    """An update that is killed while it writes the first file."""
    child = os.fork() if sys.platform != "win32" else 1
    if not child:
        monkeypatch.setattr(writing, "_keep_mode", lambda *_: os._exit(9))
        bringing.bring(Repository(root), merge)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.skipif(sys.platform == "win32", reason="kills a process of its own")
def test_after_a_kill_git_brings_everything_back_and_the_next_update_says_how(
    root: Path, merge: Merge, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {name: (root / name).read_bytes() for name in BEFORE}
    (root / "mine.txt").write_text("an older file of mine\n", "utf-8")
    git(root, "add", "mine.txt")
    git(root, "commit", "-qm", "more")
    killed(root, merge, monkeypatch)
    (root / "mine.txt").write_text("worked on since\n", "utf-8")
    with pytest.raises(Problem, match="killed while its result was brought in") as caught:
        preflight.look()
    assert "mine.txt" not in str(caught.value)
    with pytest.raises(Problem, match="killed"):  # as `update --check` asks
        preflight.refuse_unfinished(Repository(root))
    (command,) = [one for one in str(caught.value).splitlines() if "git restore" in one]
    git(root, *shlex.split(command)[1:])
    assert {name: (root / name).read_bytes() for name in BEFORE} == before
    assert git(root, "status", "--porcelain") == " M mine.txt\n"
    # Whatever is edited from now on has nothing to do with that update.
    (root / "a.txt").write_text("worked on since\n", "utf-8")
    with pytest.raises(Problem, match="changes that are not committed"):
        preflight.look()
    git(root, "commit", "-qam", "Worked on")
    assert preflight.look() == Repository(root)
    assert not (root / ".blueprint" / "update-under-way").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="kills a process of its own")
def test_what_a_killed_update_had_staged_and_was_committed_is_no_business_of_the_next(
    root: Path, merge: Merge, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(root, merge, monkeypatch)
    git(root, "commit", "-qam", "Kept by mistake")
    (root / "a.txt").write_text("worked on since\n", "utf-8")
    with pytest.raises(Problem, match="changes that are not committed"):
        preflight.look()


@pytest.mark.parametrize("flag", ["assume-unchanged", "skip-worktree"])
def test_a_file_that_git_was_told_to_look_away_from_is_refused(root: Path, flag: str) -> None:
    git(root, "update-index", f"--{flag}", "a.txt")
    (root / "a.txt").write_text("a hidden edit\n", "utf-8")
    assert git(root, "status", "--porcelain") == ""
    with pytest.raises(Problem, match=rf"a\.txt\n(.|\n)*git update-index --no-{flag} -- a\.txt"):
        preflight.look()
    git(root, "update-index", f"--no-{flag}", "--", "a.txt")
    git(root, "commit", "-qam", "Not hidden any more")
    assert preflight.look() == Repository(root)


def test_a_file_that_a_sparse_checkout_leaves_out_hides_nothing(root: Path) -> None:
    git(root, "update-index", "--skip-worktree", "a.txt")
    (root / "a.txt").unlink()
    assert preflight.look() == Repository(root)


@pytest.mark.parametrize(
    "text",
    [
        "<<<<<<< before updating\nx\n=======\n",
        "<<<<<<< before updating\r\nx\r\n",
        "x\n>>>>>>> after updating\n",
    ],
)
def test_marks_that_were_committed_are_found_whatever_a_person_has_set(
    root: Path, text: str
) -> None:
    (root / "a.txt").write_bytes(text.encode())
    git(root, "commit", "-qam", "Not resolved")
    for key, value in (("grep.patternType", "fixed"), ("color.grep", "always")):
        git(root, "config", key, value)
    with pytest.raises(Problem, match="(?s)still hold the marks.*\n    a.txt\n"):
        preflight.look()


def test_what_a_filter_of_the_project_changes_is_staged_as_the_filter_makes_it(
    root: Path, merge: Merge
) -> None:
    (root / ".git/info/attributes").write_text("a.txt filter=secret\n", "utf-8")
    for way in ("clean", "smudge"):
        git(root, "config", f"filter.secret.{way}", "tr a-z n-za-m")
    git(root, "add", "--renormalize", ".")
    git(root, "commit", "-qm", "Encrypted")
    old, new = merge.changes["a.txt"].old, merge.changes["a.txt"].new
    bringing.bring(Repository(root), merge)
    assert (root / "a.txt").read_text("utf-8") == "changed\n"
    assert git(root, "cat-file", "blob", ":a.txt") == "punatrq\n"
    assert "M  a.txt" in git(root, "status", "--porcelain").splitlines()
    git(root, "reset", "--hard", "-q")
    merge.conflicts.append(Conflict("a.txt", "both", (old, old, new)))
    bringing.bring(Repository(root), merge)
    assert git(root, "cat-file", "blob", ":2:a.txt") == "bar\n"


def test_what_another_has_staged_meanwhile_stays_where_all_is_put_back(
    root: Path, merge: Merge, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        (root / "theirs").write_text("x\n", "utf-8")
        git(root, "add", "theirs")
        # A signal that comes while it is put back does not keep it from that.
        monkeypatch.setattr(writing, "_put_back", stopped)
        raise OSError(28, "No space left")

    put_back = writing._put_back

    def stopped(*arguments: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        put_back(*arguments)

    monkeypatch.setattr(writing, "_keep_mode", fails)
    with pytest.raises(Problem, match="All is as it was before"):
        bringing.bring(Repository(root), merge)
    assert git(root, "status", "--porcelain") == "A  theirs\n"


def test_what_could_not_be_put_back_is_told_and_known_to_the_next_update(
    root: Path, merge: Merge, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        (root / ".git/index.lock").touch()
        raise OSError(28, "No space left")

    monkeypatch.setattr(writing, "_keep_mode", fails)
    with pytest.raises(Problem, match="could not be put back as they were:\n  - git's index"):
        bringing.bring(Repository(root), merge)
    (root / ".git/index.lock").unlink()
    with pytest.raises(Problem, match="git restore --staged --worktree -- "):
        preflight.look()


def test_a_file_may_be_renamed_to_another_case(root: Path, tmp_path: Path) -> None:
    folder = made(tmp_path / "other")
    (folder / "a.txt").rename(folder / "A.txt")
    git(folder, "add", "-A")
    changes = differences(folder, "HEAD", git(folder, "write-tree").strip())
    # As a disk shows it that does not tell cases apart: both names lead to the one file.
    (root / "A.txt").hardlink_to(root / "a.txt")
    done = bringing.bring(Repository(root), Merge(folder, ANSWERS, ANSWERS, changes))
    assert (done.added, done.deleted, done.kept) == (["A.txt"], ["a.txt"], [])


def test_a_conflict_is_one_that_git_knows_of(root: Path, merge: Merge) -> None:
    old, new = merge.changes["a.txt"].old, merge.changes["a.txt"].new
    gone = merge.changes["empties/c.txt"].old
    merge.conflicts += [
        Conflict("a.txt", "both", (old, old, new)),
        Conflict("empties/c.txt", "gone", (gone, gone, None)),
    ]
    bringing.bring(Repository(root), merge)
    listed = git(root, "status", "--porcelain").splitlines()
    assert {"UU a.txt", "UD empties/c.txt"} <= set(listed)
    assert (root / "empties/c.txt").read_text("utf-8") == "three\n"
    git(root, "restore", "--staged", "--worktree", ".")
    assert git(root, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["schedule"], "key=value"),
        (["=x"], "key=value"),
        (["schedule=1", "schedule=2"], "twice"),
        (["project_slug=x"], "does not change"),
        (["create_venv=false"], "changes nothing now"),
        (["shedule=x"], "no question 'shedule'.*It has: schedule"),
    ],
)
def test_what_is_no_answer_is_refused(given: list[str], told: str) -> None:
    with pytest.raises(Problem, match=told):
        answers.asked(given, ANSWERS.values)


def test_an_answer_may_hold_anything_behind_the_first_equals_sign() -> None:
    assert answers.asked(["schedule= a=b "], ANSWERS.values) == {"schedule": " a=b "}


@pytest.mark.parametrize(
    ("manifest", "there"),
    [
        ("deployments: [{schedules: [{cron: 0 7 * * *}]}]", ["0 7 * * *"]),
        ("deployments: [{schedules: [{cron: 0 9 * * *}]}]", []),
        ("deployments: [{schedules: []}]", []),
        ("deployments: [", []),
        (None, []),
    ],
)
def test_an_edit_by_hand_is_known_where_it_can_be_read(
    tmp_path: Path, manifest: str | None, there: list[str]
) -> None:
    if manifest:
        (tmp_path / "prefect.yaml").write_text(manifest, "utf-8")
    found: Callable[..., Any] = drift.found
    assert [one.there for one in found(ANSWERS.values, root=tmp_path)] == there
    assert found(ANSWERS.values, {"timezone": "UTC"}, tmp_path) == []
    # What is asked for stands there already.
    assert found(ANSWERS.values, {"schedule": "0 7 * * *"}, tmp_path) == []
