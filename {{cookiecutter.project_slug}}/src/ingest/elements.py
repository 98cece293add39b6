"""Cut the elements of a JSON array into lines, by what stands between its first ones.

To look at each token in Python takes longer than all the rest of the gate. Here only the text
between two elements is looked for: a closing brace, a comma, spaces, a brace and the first key,
always the same. That may cut wrongly, within a nested array for example. Whoever reads the
lines sees it: if each of them is whole JSON, then so it was cut, since the text between two of
them holds a comma and nothing else; if one is not, the array is cut token by token from there.
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from ingest.arrays import Scanner, array_blocks
from ingest.blocks import Block
from ingest.errors import SourceError
from ingest.opening import CHUNK, Chain
from ingest.spooling import LONGEST_LINE, spooled_lines
from ingest.steps import SourceFile

_HEAD = 1024 * 1024  # bytes in which the first elements are looked for
_PIECE = 256 * 1024
_LEARNED_FROM = 50  # elements
_BEGIN = re.compile(r'\{[ \t\r\n]*"[^"\\]*"[ \t\r\n]*:')
# A line feed is to end a line. A carriage return is a space as well, and as it no part of a
# string: JSON that was faulty stays so.
_FLAT = bytes.maketrans(b"\n", b"\r")
_SPACES = bytes.maketrans(b"\t\r\n", b"   ")


def spooled_elements(
    stream: BinaryIO,
    source: SourceFile,
    records: int,
    folder: Path,
    spare: list[Path] | None = None,
) -> Iterator[Block]:
    """Blocks as ingest.arrays.array_blocks makes them, most of them likely ones: see `cut_at`.

    `folder` and `spare` are those of ingest.spooling.spooled_lines. Raises SourceError as
    array_blocks does.
    """
    head = stream.read(_HEAD)
    learned = _learned(head, source)
    if learned is None:
        yield from array_blocks(_joined(head, stream), source, records)
        return
    at, between, depth = learned
    # One reader for both: what it has read ahead belongs to the rest.
    stream = _joined(head[at:], stream)
    lines = _Lines(stream, between)
    first = 1
    for block in spooled_lines(io.BufferedReader(lines, _PIECE), records, folder, spare):
        yield replace(block, cut_at=at, depth=depth)
        at += block.size
        first += block.file.lines if block.file else block.data.count(b"\n")
    # The last element, the array's end and what follows it.
    yield from array_blocks(_joined(lines.rest, stream), source, records, first, depth)


def unflattened(line: bytes) -> bytes:
    """The text of an element whose line this is, as array_blocks gives it."""
    return line.strip(b" \t\r").replace(b"\r", b" ")


def _joined(data: bytes, stream: BinaryIO) -> BinaryIO:
    return io.BufferedReader(Chain(data, stream), CHUNK)


def _learned(head: bytes, source: SourceFile) -> tuple[int, bytes, int] | None:
    """Where the first element begins, what stands between each two, how many objects are open.

    None where they are no objects, or not written alike.
    """
    scanner = Scanner(io.BytesIO(head), source)
    found: list[tuple[int, str]] = []
    depth = 0
    try:
        for text in itertools.islice(scanner.elements(), _LEARNED_FROM):
            found.append((scanner.place - len(text), text))
            depth = scanner.depth
    except SourceError:
        pass  # the head ends within an element
    text = head.decode("utf-8-sig", "ignore")
    begins = {match[0] if (match := _BEGIN.match(one)) else "" for _, one in found}
    gaps = {
        text[begin + len(one) : following]
        for (begin, one), (following, _) in itertools.pairwise(found)
    }
    if len(begins) != 1 or len(gaps) != 1 or "" in begins:
        return None
    before = len(head) - len(head.removeprefix(b"\xef\xbb\xbf"))
    at = before + len(text[: found[0][0]].encode())
    return at, b"}" + (gaps.pop() + begins.pop()).encode(), depth


class _Lines(io.RawIOBase):
    """The elements of an array in lines, each as long as it was, up to the last `between`.

    rest: once all was read, what stands behind that.
    """

    def __init__(self, stream: BinaryIO, between: bytes) -> None:
        self.rest = b""
        self._stream = stream
        self._between = between.translate(_FLAT)
        self._broken = between.translate(_SPACES).replace(b",", b"\n", 1)
        self._comma = between.index(b",")
        self._after = b" " * (between.index(b"{") - self._comma - 1)
        self._ready = io.BytesIO()
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not (part := self._ready.read(len(buffer))) and not self._ended:
            self._more()
        buffer[: len(part)] = part
        return len(part)

    def _more(self) -> None:
        piece = self._stream.read(_PIECE)
        data = self.rest + piece.translate(_FLAT)
        end = data.rfind(self._between)
        if end >= 0:
            end += self._comma
            lines = data[:end].replace(self._between, self._broken) + b"\n"
            self._ready = io.BytesIO(lines)
            self.rest = self._after + data[end + 1 + len(self._after) :]
        else:
            self.rest = data
            # Where nothing stands between elements for so long, the guess was wrong.
            self._ended = not piece or len(data) > LONGEST_LINE
