"""Brings the result of a merge into the project: all of it, or nothing.

The index is written first, so that also after a kill `git restore --staged --worktree .` takes
back whatever was written until then.
"""

from __future__ import annotations

import os
import shutil
import signal
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from blueprint.project import STATE, Problem
from blueprint.updating import git
from blueprint.updating.git import Repository
from blueprint.updating.merging import Merge, path_of
from blueprint.updating.preflight import CUT_OFF
from runtime.project import ROOT


@dataclass
class Brought:
    """What is in the work tree now, by path; what stands there already is kept.

    kept: the template has one now where an ignored file of this project stands.
    shown: what git ignored and ignores no longer.
    """

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)


def bring(repository: Repository, merge: Merge) -> Brought:
    """Write the merged files into the project and into git's index.

    A conflict comes with its marks, and as one that git knows of.

    Raises:
        Problem: a file cannot be written; then all is as it was.
    """
    brought = _planned(merge)
    written = _Written(repository)
    STATE.mkdir(exist_ok=True)
    try:
        CUT_OFF.touch()
        written.index(_objects_and_lines(repository, merge, brought))
        for path in brought.deleted:
            written.without(path_of(ROOT, path))
        for path in (*brought.added, *brought.changed):
            written.file(path_of(ROOT, path), path_of(merge.folder, path))
        repository.asked("update-index", "-q", "--refresh")
    except BaseException as error:
        written.undo()
        if isinstance(error, OSError):
            raise Problem(
                f"The result could not be written: {error}\nAll is as it was before."
            ) from None
        raise
    finally:
        CUT_OFF.unlink(missing_ok=True)
    brought.shown = _unknown_to_git(repository)
    return brought


def _planned(merge: Merge) -> Brought:
    """What is to be written. A conflict about a file that is to go leaves it as it is."""
    stay = {one.path for one in merge.conflicts if one.stages[2] is None}
    gone = {path_of(ROOT, path) for path, one in merge.changes.items() if one.kind == "D"}
    brought = Brought()
    for path, change in sorted(merge.changes.items()):
        if path in stay:
            continue
        if change.kind == "A" and _in_the_way(path_of(ROOT, path), gone):
            brought.kept.append(path)
        else:
            where = {"A": brought.added, "M": brought.changed, "D": brought.deleted}
            where[change.kind].append(path)
    return brought


def _in_the_way(path: Path, gone: set[Path]) -> bool:
    """Whether something stands there that git does not know; or a file where a folder has to be.

    gone: what will have been deleted by then.
    """
    if path.is_dir() and not path.is_symlink():
        return any(one not in gone for one in path.rglob("*") if one.is_symlink() or one.is_file())
    above = [one for one in path.parents if one != ROOT and one.is_relative_to(ROOT)]
    return os.path.lexists(path) or any(
        os.path.lexists(one) and one not in gone and (one.is_symlink() or not one.is_dir())
        for one in above
    )


def _unknown_to_git(repository: Repository) -> list[str]:
    """What is neither tracked nor ignored: before an update there was nothing of the kind."""
    here = f":(literal){repository.folder}" if repository.folder else "."
    folders = ("--directory", "--no-empty-directory")
    listed = repository.git(
        "ls-files", "-z", "--others", "--exclude-standard", *folders, "--", here
    )
    return [one.removeprefix(repository.folder) for one in git.names(listed)]


def _objects_and_lines(repository: Repository, merge: Merge, brought: Brought) -> bytes:
    """Put the new blobs into the project's repository; gives what its index shall say.

    Nothing there refers to them until the index does, so a failure leaves no trace but these.
    """
    lines: list[str] = []
    blobs: set[str] = set()
    in_conflict = {one.path: one for one in merge.conflicts}

    def say(path: str, state: tuple[str, str], stage: int = 0) -> None:
        blobs.add(state[1])
        lines.append(f"{state[0]} {state[1]} {stage}\t{repository.folder}{path}")

    for path in (*brought.deleted, *brought.added, *brought.changed):
        if path not in in_conflict:
            change = merge.changes[path]
            if change.kind == "D":
                lines.append(f"0 {'0' * len(change.old[1])}\t{repository.folder}{path}")
            else:
                say(path, change.new)
    for one in merge.conflicts:
        if one.path not in brought.kept:
            lines.append(f"0 {'0' * 40}\t{repository.folder}{one.path}")
            for stage, state in enumerate(one.stages, start=1):
                if state:
                    say(one.path, state, stage)
    if blobs:
        feed = "\n".join(sorted(blobs)).encode()
        pack = git.git(merge.folder, "pack-objects", "--stdout", "-q", feed=feed, plain=True)
        repository.git("unpack-objects", "-q", feed=pack)
    return b"".join(os.fsencode(line) + b"\0" for line in lines)


class _Written:
    """What was written, with what was there before."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        place = repository.git("rev-parse", "--git-path", "index").decode().strip()
        self._index = repository.top / place
        self._index_before: bytes | None = None
        self._steps: list[tuple[Path, tuple[bytes, int] | None]] = []
        """Each file with its bytes and mode before, and each folder that was made, in order."""

    def index(self, lines: bytes) -> None:
        """Have git's index say this."""
        self._index_before = self._index.read_bytes()
        self._repository.git("update-index", "-z", "--index-info", feed=lines)

    def without(self, path: Path) -> None:
        """Delete a file, and the folders that are empty then."""
        self._steps.append((path, _held(path)))
        path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder == ROOT or any(folder.iterdir()):
                break
            folder.rmdir()

    def file(self, path: Path, source: Path) -> None:
        """Make a file as its source is."""
        self._make(path.parent)
        self._steps.append((path, _held(path)))
        draft = STATE / f"draft-{os.getpid()}"
        try:
            shutil.copy(source, draft, follow_symlinks=False)
            _keep_mode(path, draft)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

    def undo(self) -> None:
        """Put everything back; a second Ctrl-C does not keep it from that."""
        asked = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            for path, before in reversed(self._steps):
                with suppress(OSError):
                    _put_back(path, before)
            before_all = self._index_before
            if before_all is not None and before_all != self._index.read_bytes():
                self._index.write_bytes(before_all)
        finally:
            signal.signal(signal.SIGINT, asked)

    def _make(self, folder: Path) -> None:
        missing = [folder, *folder.parents]
        missing = missing[: next(n for n, one in enumerate(missing) if one.is_dir())]
        for one in reversed(missing):
            self._steps.append((one, None))
            one.mkdir()


def _keep_mode(path: Path, draft: Path) -> None:
    """A file keeps the mode that it has here, save that it may be run now, or not any more."""
    if path.is_symlink() or draft.is_symlink() or not path.exists():
        return
    mode = path.stat().st_mode
    if bool(mode & stat.S_IXUSR) == bool(draft.stat().st_mode & stat.S_IXUSR):
        draft.chmod(stat.S_IMODE(mode))


def _held(path: Path) -> tuple[bytes, int] | None:
    if path.is_symlink():
        return os.fsencode(path.readlink()), stat.S_IFLNK
    return (path.read_bytes(), path.stat().st_mode) if path.exists() else None


def _put_back(path: Path, before: tuple[bytes, int] | None) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    path.unlink(missing_ok=True)
    if before is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if before[1] == stat.S_IFLNK:
        path.symlink_to(os.fsdecode(before[0]))
    else:
        path.write_bytes(before[0])
        path.chmod(stat.S_IMODE(before[1]))
