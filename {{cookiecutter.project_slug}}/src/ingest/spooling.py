"""Cut lines into files, through one small buffer.

Python's bytes of some megabytes are new memory each time, which the system has to clear page by
page: that took longer than DuckDB takes to read the lines. So what is cut here never stands in
memory as a whole.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ingest.blocks import Block, LineFile, line_blocks
from ingest.opening import CHUNK, Chain

# DuckDB refuses a longer line, and makes room for sixteen of this size. In bytes.
LONGEST_LINE = 1_000_000
_NOT_PLAIN = (b"\r", b"\x01")
_LONG = 128  # bytes of a line from which on it is faster to read lines than to count their ends
_PIECE = 256 * 1024  # bytes that are read at once: the processor's own cache holds them


def spooled_lines(
    stream: BinaryIO, records: int, folder: Path, spare: list[Path] | None = None
) -> Iterator[Block]:
    """Blocks of an NDJSON file, as ingest.blocks.line_blocks makes them, but in files.

    Each file lies in `folder` until its reader removes it, or appends it to `spare`: such a one
    is written over, under another name, which takes half the time of a new one. From a line on
    that is longer than LONGEST_LINE, the blocks are in memory.
    """
    cut = _Cut(stream)
    first = number = 1
    while True:
        path = folder / f"lines-{number:08}"
        if spare:
            spare.pop().rename(path)
        with path.open("r+b" if path.exists() else "wb", buffering=0) as file:
            found = cut.fill(file, path, records)
            file.truncate()
        if not found.lines:
            path.unlink()
            break
        yield Block(first, file=found)
        first, number = first + found.lines, number + 1
    rest = io.BufferedReader(Chain(cut.rest(), stream), CHUNK)
    yield from line_blocks(rest, records, first)


class _Cut:
    """A stream, of which the piece from `_at` on was read and is not yet written."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._piece = stream.read(3).removeprefix(codecs.BOM_UTF8)
        self._at = 0

    def rest(self) -> bytes:
        """What was read and not written: the start of a line that is too long, or nothing."""
        return self._piece[self._at :]

    def fill(self, file: io.FileIO, path: Path, records: int) -> LineFile:
        """Write whole lines into the file: at most so many, and not many more than CHUNK bytes."""
        lines = size = 0
        plain = True
        while lines < records and size < CHUNK and (end := self._line_ends()):
            count = self._count(end, size > _LONG * lines)
            if count > records - lines:
                count = records - lines
                end = self._end_of(count)
            at = self._at
            while at < end:  # a full disk takes a part, and the next time raises
                at += file.write(memoryview(self._piece)[at:end])
            plain = plain and self._is_plain(end, first=not lines)
            lines, size = lines + count, size + end - self._at
            self._at = end
        return LineFile(path, size, lines, plain)

    def _count(self, end: int, long: bool) -> int:
        """The lines up to `end`, of which the last may lack its end; `long` says how to count."""
        if not long:
            return self._piece.count(b"\n", self._at, end) or 1
        # It looks for an end as memchr does, and Python 3.11's bytes.count at each byte.
        with io.BytesIO(self._piece) as lines:
            lines.seek(self._at)
            return len(lines.readlines()) - (end < len(self._piece))

    def _is_plain(self, end: int, first: bool) -> bool:
        marked = first and self._piece.startswith(codecs.BOM_UTF8, self._at)
        return not marked and all(self._piece.find(one, self._at, end) < 0 for one in _NOT_PLAIN)

    def _line_ends(self) -> int:
        """Where the last whole line of the piece ends, after reading on if there is none.

        0 at the end of the file, and where a line is too long.
        """
        while not (end := self._piece.rfind(b"\n", self._at) + 1):
            more = self._stream.read(_PIECE)
            if not more:
                return len(self._piece) if self._at < len(self._piece) else 0
            self._piece, self._at = self.rest() + more, 0
            if self._piece.find(b"\n") < 0 and len(self._piece) >= LONGEST_LINE:
                return 0
        return end

    def _end_of(self, lines: int) -> int:
        end = self._at
        for _ in range(lines):
            end = self._piece.index(b"\n", end) + 1
        return end
