"""Cut a CSV into blocks of whole rows, and read its rows."""

import codecs
import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import BinaryIO

import duckdb

from ingest.blocks import Block
from ingest.errors import SourceError
from ingest.formats import DELIMITERS, MAX_RECORD, RawRecord
from ingest.opening import CHUNK, Chain
from ingest.steps import SourceFile

# Rows as RFC 4180 has them: a quote only around a field, or doubled within one. For those
# DuckDB and Python's csv read the same, and a row ends where the quotes so far are even.
_PLAIN = '(?:[^"\\r\\n{d}]*|"(?:[^"]|"")*")'
_MOST_HEADER = 1024 * 1024  # bytes
_BREAK = re.compile(rb"\r\n?|\n")
_SOUND = r"{field}(?:(?:{d}|\r?\n){field})*"


def csv_rows(lines: Iterable[str], source: SourceFile, header: list[str]) -> Iterator[RawRecord]:
    """The rows of a CSV without its header, empty cells left out. Raises SourceError."""
    csv.field_size_limit(MAX_RECORD)
    rows = csv.reader(lines, strict=True, delimiter=source.delimiter)
    position = 0
    try:
        for cells in rows:
            if cells:
                position += 1
                yield row(position, cells, header)
    except csv.Error as error:
        raise _unsound(f"after row {position}: {error}", source) from error


def _unsound(where: str, source: SourceFile) -> SourceError:
    return SourceError(
        f"{source.url} is not sound CSV {where}. Either a quote is not closed, which swallows all "
        f"that follows it, or a cell is longer than {MAX_RECORD // 2**20} MiB: mend that row. "
        f"{_other_delimiter(source)}"
    )


def _other_delimiter(source: SourceFile) -> str:
    return (
        f"If {source.delimiter!r} is not what parts its fields, say what does in extract.py: "
        "Reading(delimiter='…')."
    )


def row(position: int, cells: list[str], header: list[str]) -> RawRecord:
    """The cells of a row as a record."""
    if len(cells) != len(header):
        fault = f"the row has {len(cells)} fields, the header {len(header)}"
        if any(mark in cell for cell in cells for mark in DELIMITERS):
            fault += "; another delimiter can be set in extract.py: Reading(delimiter='…')"
        return RawRecord(position, cells, None, fault)
    return RawRecord(
        position, {name: cell for name, cell in zip(header, cells, strict=True) if cell}
    )


class CsvBlocks:
    """A CSV's header, and its rows in blocks."""

    def __init__(self, stream: BinaryIO, source: SourceFile, records: int) -> None:
        """Read the header of `stream`. Raises SourceError where there is no sound one."""
        self._stream = stream
        self._source = source
        self._records = records
        field = _PLAIN.replace("{d}", _escaped(source.delimiter))
        self._sound_text = _SOUND.replace("{d}", _escaped(source.delimiter)).replace(
            "{field}", field
        )
        self._connection = duckdb.connect()
        data = stream.read(CHUNK).removeprefix(codecs.BOM_UTF8)
        end = _row_end(data)
        if end > _MOST_HEADER:
            raise SourceError(
                f"{source.url} has a header of more than {_MOST_HEADER // 2**20} MiB, which begins "
                f"with {data[:40]!r}: it is no CSV, or lacks its line breaks."
            )
        self._rest = data[end:]
        self.header = csv_header(_cells(data[:end], source), source)

    def __iter__(self) -> Iterator[Block]:
        """Blocks of at most `records` lines, or of parsed rows from where quotes are unsound.

        A row of several lines is never cut. Raises SourceError.
        """
        pending = self._rest
        while True:
            chunk = self._stream.read(CHUNK)
            data = pending + chunk
            cut = _last_row_end(data) if chunk else len(data)
            if not cut and len(data) <= MAX_RECORD + CHUNK and chunk:
                pending = data
                continue
            whole, pending = data[:cut], data[cut:]
            done = 0
            for part in self._parts(whole):
                if not self._is_sound(part):
                    break
                yield Block(None, part)
                done += len(part)
            if done < cut or (not cut and chunk):
                yield from self._parsed(data[done:])
                return
            if not chunk:
                return

    def _parts(self, whole: bytes) -> Iterator[bytes]:
        lines = io.BytesIO(whole)
        while part := b"".join(itertools.islice(lines, self._records)):
            more, quotes = [part], part.count(b'"')
            while quotes % 2 and (line := lines.readline()):
                more.append(line)
                quotes += line.count(b'"')
            yield b"".join(more)

    def _is_sound(self, data: bytes) -> bool:
        if b'"' not in data:
            return b"\r" not in data or data.count(b"\r") == data.count(b"\r\n")
        try:
            found = self._connection.execute(
                "SELECT regexp_full_match(decode($data), $sound)",
                {"data": data, "sound": self._sound_text},
            ).fetchall()
        except duckdb.Error:  # no UTF-8: Python's reader says where
            return False
        return bool(found[0][0])

    def _parsed(self, data: bytes) -> Iterator[Block]:
        """The rest of the file, row by row as Python reads it."""
        rest = io.BufferedReader(Chain(data, self._stream), CHUNK)
        with io.TextIOWrapper(rest, encoding="utf-8", newline="") as text:
            try:
                rows = csv_rows(_bounded(text, self._source), self._source, self.header)
                while part := list(itertools.islice(rows, self._records)):
                    numbered = [replace(raw, position=n) for n, raw in enumerate(part, 1)]
                    yield Block(None, b"", records=numbered)
            except UnicodeDecodeError as error:
                raise _not_utf8(error, self._source) from error


def _cells(data: bytes, source: SourceFile) -> list[str]:
    """The cells of the header. Raises SourceError."""
    csv.field_size_limit(MAX_RECORD)
    lines = io.StringIO(decoded(data, source), newline="")
    try:
        return next(csv.reader(lines, strict=True, delimiter=source.delimiter), [])
    except csv.Error as error:
        raise _unsound(f"in its header: {error}", source) from error


def _bounded(text: io.TextIOWrapper, source: SourceFile) -> Iterator[str]:
    """The lines of `text`, none of which memory does not bear. Raises SourceError."""
    while line := text.readline(MAX_RECORD + 1):
        if len(line) > MAX_RECORD:
            raise SourceError(
                f"{source.url} has a line of more than {MAX_RECORD // 2**20} MiB, which begins "
                f"with {line[:40]!r}: it is no CSV, or lacks its line breaks."
            )
        yield line


def decoded(data: bytes, source: SourceFile) -> str:
    """The text of a block. Raises SourceError where it is not UTF-8."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _not_utf8(error, source) from error


def _not_utf8(error: UnicodeDecodeError, source: SourceFile) -> SourceError:
    near = error.object[max(0, error.start - 20) : error.start].decode("utf-8", "replace")
    return SourceError(
        f"{source.url} is not UTF-8: behind {near!r} stands the byte "
        f"{error.object[error.start]:#04x}. Save it as UTF-8, or name its encoding in "
        "extract.py: Reading(encoding='cp1252')."
    )


def with_line_feeds(data: bytes) -> bytes:
    """Sound rows that end with a line feed alone, what is quoted untouched.

    DuckDB 1.5 stumbles over a line feed in quotes where rows end with a carriage return too.
    """
    if b"\r" not in data:
        return data
    parts = data.split(b'"')
    # In sound rows every second part is quoted; a doubled quote has nothing between its halves.
    parts[::2] = [part.replace(b"\r\n", b"\n") for part in parts[::2]]
    return b'"'.join(parts)


def _escaped(delimiter: str) -> str:
    return r"\x{" + f"{ord(delimiter):x}" + "}"


def _row_end(data: bytes) -> int:
    """Where the first row ends: behind a line break with no open quote before it.

    A carriage return alone is one as well: what it ends must not be taken into the header.
    """
    start = quotes = 0
    for found in _BREAK.finditer(data):
        quotes += data.count(b'"', start, found.end())
        start = found.end()
        if quotes % 2 == 0:
            return start
    return len(data)


def _last_row_end(data: bytes) -> int:
    end = data.rfind(b"\n") + 1
    open_quotes = data.count(b'"', 0, end) % 2
    while end and open_quotes:
        before = data.rfind(b"\n", 0, end - 1) + 1
        open_quotes = (open_quotes + data.count(b'"', before, end)) % 2
        end = before
    return end


def csv_header(cells: list[str], source: SourceFile) -> list[str]:
    """Check a CSV's header row: present, every column named, no name twice."""
    shown = source.url
    if not cells:
        raise SourceError(f"{shown} has no header row: its first line must name the columns.")
    if place := next((number for number, cell in enumerate(cells, 1) if not cell.strip()), 0):
        raise SourceError(
            f"The header of {shown} has a column without a name, number {place} of {len(cells)}: "
            f"{cells!s:.300}. Name it there, or have the file written without it: an index of "
            "pandas with to_csv(index=False), a last one with no delimiter at the end of each "
            f"line. {_other_delimiter(source)}"
        )
    twice = sorted({cell for cell in cells if cells.count(cell) > 1})
    if twice:
        raise SourceError(
            f"The header of {shown} names a column twice: {', '.join(twice)}. "
            f"{_other_delimiter(source)}"
        )
    return cells
