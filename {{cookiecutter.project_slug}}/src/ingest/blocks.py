"""Blocks of whole records, none of them larger than memory bears, and how lines make them."""

from __future__ import annotations

import codecs
import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ingest.formats import MAX_RECORD, RawRecord
from ingest.opening import CHUNK


@dataclass(frozen=True)
class LineFile:
    """Whole lines in a file of their own, of `size` bytes.

    plain: it begins with no byte order mark and holds no carriage return and no byte 1, so
    that ingest.gate.sql.lines_of may read it.
    """

    path: Path
    size: int
    lines: int
    plain: bool


@dataclass(frozen=True)
class Block:
    """Some records: one in each line, or rows of a CSV; in UTF-8, which nobody has checked yet.

    first: the position of the first line; None where it is known only when all blocks before
    have been counted. spoiled: records that cannot be read; their lines are empty.
    records: instead of data, parsed records, whose positions count from 1 in this block.
    file: instead of data, a file of so many lines; see ingest.spooling.
    cut_at: the byte of the source at which it begins, where the cut is only likely to be right,
    and depth: how many objects are open there; see ingest.elements.
    """

    first: int | None
    data: bytes = b""
    spoiled: list[RawRecord] = field(default_factory=list)
    records: list[RawRecord] | None = None
    file: LineFile | None = None
    cut_at: int | None = None
    depth: int = 0

    @property
    def size(self) -> int:
        """Bytes of its text."""
        return self.file.size if self.file else len(self.data)

    def head(self, lines: int) -> list[bytes]:
        """So many of its first lines, without their ends; no more of a file is read."""
        with self.file.path.open("rb") if self.file else io.BytesIO(self.data) as stream:
            return [line.rstrip(b"\n") for line in itertools.islice(stream, lines)]

    def in_memory(self) -> Block:
        """The same block with its text as data."""
        if self.file is None:
            return self
        return Block(self.first, self.file.path.read_bytes(), self.spoiled)


def line_blocks(stream: BinaryIO, records: int, first: int = 1) -> Iterator[Block]:
    """Blocks of an NDJSON file, with at most `records` lines each; positions are lines.

    first: the position of the stream's first line.
    """
    if first == 1 and stream.peek(3)[:3] == codecs.BOM_UTF8:  # type: ignore[attr-defined]
        stream.read(3)
    while chunk := stream.read(CHUNK):
        start = b""
        if not chunk.endswith(b"\n"):
            rest = stream.readline(MAX_RECORD)
            end = chunk.rfind(b"\n") + 1
            if len(chunk) - end + len(rest) > MAX_RECORD:
                chunk, start = chunk[:end], chunk[end : end + 1000]
                while rest and not rest.endswith(b"\n"):
                    rest = stream.readline(MAX_RECORD)
            else:
                chunk += rest
        for part in _parts(chunk, records):
            yield Block(first, part)
            first += part.count(b"\n")
        if start:
            fault = f"the line is longer than {MAX_RECORD // 2**20} MiB; its start is kept"
            yield Block(first, b"", [RawRecord(first, None, start, fault)])
            first += 1


def _parts(whole: bytes, records: int) -> Iterator[bytes]:
    """Whole lines in parts of at most so many."""
    if whole and whole.count(b"\n") <= records:
        yield whole
        return
    lines = io.BytesIO(whole)
    while part := b"".join(itertools.islice(lines, records)):
        yield part


def without_undecodable(block: Block) -> Block:
    """The block with lines that are not UTF-8 left empty, and named among the spoiled."""
    block = block.in_memory()
    lines, spoiled = block.data.split(b"\n"), list(block.spoiled)
    for number, line in enumerate(lines):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as error:
            fault = f"the line is not UTF-8: byte {error.start + 1} is {line[error.start]:#04x}"
            spoiled.append(RawRecord((block.first or 1) + number, None, line, fault))
            lines[number] = b""
    return Block(block.first, b"\n".join(lines), spoiled)
