"""A file that was changed here and in the template is what git's own merge says, or a conflict."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from blueprint.updating import git, threeway, trees
from blueprint.updating.threeway import BOTH, DOUBTFUL, GONE, NO_TEXT, REMOVED, Settled

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="NOT RUN: there is no git")
Files = dict[str, bytes]
BLOCK = "  a: 1\n  b: 1\n  c: 1\n  size: {}\n  d: 1\n  e: 1\n  f: 1\n"
FIRST = f"first:\n{BLOCK}"
ZERO = f"zero:\n{BLOCK}"
TEN = [f"line {n}\n" for n in range(10)]


def put(folder: Path, files: Files) -> str:
    """Have these files, and no other, in a folder's repository."""
    for path in folder.iterdir():
        if path.name != ".git":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(text)
    return trees.written(folder)


def settle(tmp_path: Path, old: Files, mine: Files, new: Files, copiers: Files) -> Settled:
    folder, scratch = tmp_path / "project", tmp_path / "scratch"
    for one in (folder, scratch):
        one.mkdir()
    git.git(folder, "init", "--quiet", plain=True)
    before, after = put(folder, old), put(folder, new)
    put(folder, mine)
    git.git(folder, "commit", "--quiet", "-m", "mine", plain=True)
    return threeway.settle(folder, scratch, before, after, put(folder, copiers))


def text(lines: list[str], **changed: str) -> bytes:
    return "".join(changed.get(f"line{n}", one) for n, one in enumerate(lines)).encode()


def test_an_edit_that_copier_put_into_another_block_is_a_conflict_and_stands_in_its_own(
    tmp_path: Path,
) -> None:
    old = {"a.yaml": FIRST.format(100).encode()}
    mine = {"a.yaml": FIRST.format(777).encode()}
    new = {"a.yaml": (ZERO.format(100) + FIRST.format(100)).encode()}
    misplaced = {"a.yaml": (ZERO.format(777) + FIRST.format(100)).encode()}
    (conflict,) = settle(tmp_path, old, mine, new, misplaced).conflicts
    assert (conflict.path, conflict.why) == ("a.yaml", DOUBTFUL)
    assert (tmp_path / "project/a.yaml").read_text() == ZERO.format(100) + FIRST.format(777)


def test_edits_at_two_places_are_merged_and_at_one_place_they_are_marked(tmp_path: Path) -> None:
    old = {"apart": text(TEN), "same": text(TEN), "alike": text(TEN)}
    mine = {
        "apart": text(TEN, line1="ours\n"),
        "same": text(TEN, line5="ours\r\n"),
        "alike": text(TEN, line5="the same\n"),
    }
    new = {
        "apart": text(TEN, line8="theirs\n"),
        "same": text(TEN, line5="theirs\n"),
        "alike": text(TEN, line5="the same\n"),
    }
    apart = text(TEN, line1="ours\n", line8="theirs\n")
    # What copier makes of a conflict is no matter: here it has dropped the edit.
    settled = settle(tmp_path, old, mine, new, {**new, "apart": apart})
    assert [(one.path, one.why) for one in settled.conflicts] == [("same", BOTH)]
    assert (tmp_path / "project/apart").read_bytes() == apart
    marked = (tmp_path / "project/same").read_text("utf-8")
    assert "<<<<<<< before updating\nours\n=======\ntheirs\n>>>>>>> after updating\n" in marked


@pytest.mark.parametrize(
    ("mine", "new", "copiers", "why"),
    [
        (b"\0a", b"\0abc", b"\0abc", None),  # shortened here, and copier has dropped that
        (b"\0other", b"\0abc", b"\0other", None),
        (b"\0a", b"\0new", b"\0new", NO_TEXT),
        (b"\0a", b"\0new", b"\0a", NO_TEXT),
        (b"\0new", b"\0new", b"\0abc", None),
        (b"text\n", b"\0new", b"\0new", NO_TEXT),
    ],
)
def test_of_a_binary_file_yours_stays_and_is_a_conflict_where_the_template_has_another(
    tmp_path: Path, mine: bytes, new: bytes, copiers: bytes, why: str | None
) -> None:
    settled = settle(tmp_path, {"x": b"\0abc"}, {"x": mine}, {"x": new}, {"x": copiers})
    assert [one.why for one in settled.conflicts] == ([why] if why else [])
    assert (tmp_path / "project/x").read_bytes() == mine


def test_what_is_gone_on_one_side_is_told(tmp_path: Path) -> None:
    old = {"deleted here": b"1\n", "deleted there": b"1\n", "deleted by both": b"1\n"}
    mine = {"deleted there": b"edited\n", "folder/ours": b"1\n", "ours": b"1\n"}
    new = {"deleted here": b"2\n"}
    settled = settle(tmp_path, old, mine, new, {"deleted here": b"2\n", "ours": b"1\n"})
    assert settled.stays_deleted == ["deleted here"]
    assert not (tmp_path / "project/deleted here").exists()
    told = [(one.path, one.why) for one in settled.conflicts]
    assert told == [("deleted there", GONE), ("folder/ours", REMOVED)]


def test_a_folder_of_yours_may_stand_in_place_of_a_file_that_the_template_changes(
    tmp_path: Path,
) -> None:
    mine = {"x/ours": b"1\n"}
    settled = settle(tmp_path, {"x": b"1\n"}, mine, {"x": b"2\n"}, mine)
    assert (settled.stays_deleted, settled.conflicts) == (["x"], [])
    assert (tmp_path / "project/x/ours").read_bytes() == b"1\n"


def test_a_link_of_yours_in_place_of_a_file_that_the_template_changes_is_a_conflict(
    tmp_path: Path,
) -> None:
    folder, scratch = tmp_path / "project", tmp_path
    folder.mkdir()
    git.git(folder, "init", "--quiet", plain=True)
    old, new = put(folder, {"x": b"1\n"}), put(folder, {"x": b"2\n"})
    (folder / "x").unlink()
    (folder / "x").symlink_to("/dev/null")
    mine = trees.written(folder)
    git.git(folder, "commit", "--quiet", "-m", "mine", plain=True)
    (conflict,) = threeway.settle(folder, scratch, old, new, mine).conflicts
    assert conflict.why == NO_TEXT
    assert (folder / "x").readlink() == Path("/dev/null")


def test_the_mode_is_merged_too_also_in_a_conflict(tmp_path: Path) -> None:
    folder, scratch = tmp_path / "project", tmp_path
    folder.mkdir()
    git.git(folder, "init", "--quiet", plain=True)
    old = put(folder, {"conflict": b"1\n", "ours": b"1\n"})
    put(folder, {"conflict": b"theirs\n", "ours": b"2\n"})
    (folder / "conflict").chmod(0o755)
    new = trees.written(folder)
    put(folder, {"conflict": b"mine\n", "ours": b"1\n"})
    (folder / "ours").chmod(0o755)
    mine = trees.written(folder)
    git.git(folder, "commit", "--quiet", "-m", "mine", plain=True)
    (conflict,) = threeway.settle(folder, scratch, old, new, mine).conflicts
    assert conflict.path == "conflict"
    assert (folder / "conflict").stat().st_mode & 0o111
    assert (folder / "ours").stat().st_mode & 0o111
    assert (folder / "ours").read_bytes() == b"2\n"
