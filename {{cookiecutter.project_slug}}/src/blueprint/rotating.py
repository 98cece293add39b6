"""Writes what it is fed into a log file that is begun anew when it is full.

A program of its own, `python rotating.py FILE BYTES COUNT`, which ends when its input does. So a
process may write for weeks, and whatever it starts may write too; it needs to know nothing of
files, and no line is lost or cut while they are changed. It runs with the standard library alone,
since there is one beside each server and worker.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import BinaryIO


def rotated(path: Path, number: int) -> Path:
    """The name of the file that was full `number` files ago; 0 is the one being written."""
    return path.with_name(f"{path.name}.{number}") if number else path


def write(source: int, path: Path, size: int, count: int) -> None:
    """Copy from a file descriptor into `path` until its end.

    Args:
        source: the descriptor.
        path: the log; full ones become `path`.1, `path`.2, …, the highest being the oldest.
        size: bytes after which a file is full; the line that fills it is still written to it.
        count: how many files there are at most, the one being written among them.
    """
    file = path.open("ab", buffering=0)
    whole = True  # nothing stands behind the last line's end
    while chunk := os.read(source, 65536):
        # A full disk or a log that somebody removed must not end what writes here.
        with contextlib.suppress(OSError):
            if not path.exists():
                old, file = file, path.open("ab", buffering=0)
                old.close()
        there, ends = file.tell(), chunk.endswith(b"\n")
        if there + len(chunk) > size:
            end = chunk.find(b"\n") + 1
            _put(file, chunk[:end])
            chunk = chunk[end:]
            if there and (end or whole or there > 2 * size):
                file = _begun_anew(file, path, count)
        _put(file, chunk)
        whole = ends
    file.close()


def _put(file: BinaryIO, data: bytes) -> None:
    with contextlib.suppress(OSError):
        file.write(data)


def _begun_anew(file: BinaryIO, path: Path, count: int) -> BinaryIO:
    file.close()
    with contextlib.suppress(OSError):
        # Among them those that a higher count has left.
        for number in range(count + 100, 0, -1):
            younger = rotated(path, number - 1)
            if number >= count:
                younger.unlink(missing_ok=True)
            elif younger.exists():
                younger.replace(rotated(path, number))
    try:
        return path.open("ab", buffering=0)
    except OSError:  # no room: what comes now is lost, until there is some again
        path.unlink(missing_ok=True)
        return Path(os.devnull).open("ab", buffering=0)


if __name__ == "__main__":
    # It ends after the process that it writes for, never before it.
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    write(0, Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
