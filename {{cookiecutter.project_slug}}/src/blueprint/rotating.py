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
                file.close()
                file = path.open("ab", buffering=0)
        there = file.tell()
        if there + len(chunk) > size:
            end = chunk.find(b"\n") + 1
            _put(file, chunk[:end])
            chunk = chunk[end:]
            if there and (end or whole or there > 2 * size):
                file = _begun_anew(file, path, count)
        _put(file, chunk)
        whole = chunk.endswith(b"\n") or (whole and not chunk)
    file.close()


def _put(file: BinaryIO, data: bytes) -> None:
    with contextlib.suppress(OSError):
        file.write(data)


def _begun_anew(file: BinaryIO, path: Path, count: int) -> BinaryIO:
    file.close()
    try:
        for number in range(count - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                rotated(path, number - 1).replace(rotated(path, number))
        if count == 1:
            path.unlink(missing_ok=True)
        # Those that an earlier, higher count has left.
        for number in range(count, count + 100):
            rotated(path, number).unlink(missing_ok=True)
    finally:
        file = path.open("ab", buffering=0)
    return file


if __name__ == "__main__":
    # It ends after the process that it writes for, never before it.
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    write(0, Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
