"""The logs of the server and the worker: written by a process beside each, shown, followed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from blueprint import limits, rotating

_LOOK = 0.3  # seconds between two looks for new lines


def writer(path: Path) -> subprocess.Popen[bytes]:
    """Start the process that writes into a rotating log what is fed to its `stdin`.

    It ends by itself once all that write to it have ended. Raises Problem for wrong limits.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    kept = limits.read()
    program = [sys.executable, "-I", "-S", str(Path(rotating.__file__).resolve())]
    return subprocess.Popen(
        [*program, str(path), str(kept.log_bytes), str(kept.log_files)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        creationflags=subprocess.CREATE_NEW_PROCESS_GROUP if sys.platform == "win32" else 0,
    )


def write_to(path: Path) -> None:
    """From now on this process and what it starts write into a rotating log."""
    sys.stdout.flush()
    sys.stderr.flush()
    feed = writer(path).stdin
    assert feed is not None
    os.dup2(feed.fileno(), 1)
    os.dup2(feed.fileno(), 2)
    feed.close()


def last(path: Path, count: int) -> list[str]:
    """The last lines of a log, those of older files among them where the newest has too few."""
    found: list[str] = []
    for number in range(limits.read().log_files):
        wanted = count - len(found)
        if wanted <= 0:
            break
        with suppress(FileNotFoundError), rotating.rotated(path, number).open("rb") as file:
            found = [*(_text(line) for line in deque(file, wanted)), *found]
    return found


def follow(
    paths: dict[str, Path], ended: Callable[[], bool] = lambda: False
) -> Iterator[tuple[str, str]]:
    """New lines of several logs as they are written: whose, and the line.

    Goes on through rotation; ends where `ended` says so and nothing new is there.
    """
    followed = {name: _Followed(path) for name, path in paths.items()}
    while True:
        over = ended()
        for name, one in followed.items():
            for line in one.new():
                yield name, line
        if over:
            return
        time.sleep(_LOOK)


class _Followed:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = _identity(path)
        self._read = path.stat().st_size if self._place else 0
        self._begun = b""

    def new(self) -> Iterator[str]:
        """The lines since the last look, first those of the files that have become full."""
        if self._place is None:
            self._place, self._read = _identity(self._path), 0
            if self._place is None:
                return
        number = self._number()
        for older in range(number, -1, -1):
            with (
                suppress(FileNotFoundError),
                rotating.rotated(self._path, older).open("rb") as file,
            ):
                file.seek(self._read)
                while line := file.readline():
                    self._read += len(line)
                    self._begun += line
                    if self._begun.endswith(b"\n"):
                        yield _text(self._begun)
                        self._begun = b""
            if older:
                self._place, self._read = _identity(rotating.rotated(self._path, older - 1)), 0

    def _number(self) -> int:
        """Which of the files is the one that was read last."""
        for number in range(limits.read().log_files):
            if _identity(rotating.rotated(self._path, number)) == self._place:
                return number
        self._place, self._read = _identity(self._path), 0
        return 0


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\r\n")
