"""Writes files into the project, and knows how to put each back."""

from __future__ import annotations

import os
import shutil
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from blueprint.project import STATE, Problem
from blueprint.updating import indexing
from blueprint.updating.git import Repository
from blueprint.updating.indexing import Entries
from runtime.project import ROOT


class Written:
    """What was written, with what was there before."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._entries: Entries = {}
        self._steps: list[tuple[Path, tuple[bytes, int] | None]] = []
        """Each file with its bytes and mode before, and each folder that was made, in order."""

    def index(self, entries: Entries) -> None:
        """Have git's index say this."""
        self._entries = indexing.held(self._repository, entries)
        indexing.put(self._repository, entries)

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

    def undo(self) -> list[str]:
        """Put everything back, and let no signal keep it from that; gives what could not be."""
        failed = []
        with _undisturbed():
            for path, before in reversed(self._steps):
                try:
                    _put_back(path, before)
                except OSError as error:
                    failed.append(f"{path.relative_to(ROOT).as_posix()}: {error.strerror}")
            try:
                # Only its own entries: another may have staged something meanwhile.
                if indexing.held(self._repository, self._entries) != self._entries:
                    indexing.put(self._repository, self._entries)
            except Problem as problem:
                failed.append(f"git's index: {problem}")
            indexing.refresh(self._repository)
        return failed

    def _make(self, folder: Path) -> None:
        missing = [folder, *folder.parents]
        missing = missing[: next(n for n, one in enumerate(missing) if one.is_dir())]
        for one in reversed(missing):
            self._steps.append((one, None))
            one.mkdir()


@contextmanager
def _undisturbed() -> Iterator[None]:
    names = [one for one in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, one)]
    before = {one: signal.signal(getattr(signal, one), signal.SIG_IGN) for one in names}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(getattr(signal, one), handler)


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
