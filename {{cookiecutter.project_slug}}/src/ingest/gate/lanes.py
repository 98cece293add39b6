"""The fast lane of each text format: a block goes in, what it is not sure of comes out.

What it is sure of lies then in a Parquet file: `_position`, `_raw` (null) and the columns.
"""

from __future__ import annotations

import codecs
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import duckdb
from pydantic import BaseModel

from ingest.blocks import Block, without_undecodable
from ingest.cells import row, with_line_feeds
from ingest.duck import PASSING_PARQUET, file_literal, literal, parquet_table
from ingest.formats import RawRecord
from ingest.gate import sql
from ingest.gate.compiling import compiled
from ingest.gate.nodes import Unknown
from ingest.gate.shapes import Shape
from ingest.readers import csv_records, json_records, parse_line
from ingest.steps import SourceFile

_SAMPLE = 1000  # lines from which is learned how a source writes its records
_MOST_LESSONS = 8


class Lane(Protocol):
    """`closed` says why nothing goes this way, or is None."""

    closed: str | None

    def split(
        self, cursor: duckdb.DuckDBPyConnection, block: Block, base: int, part: Path
    ) -> tuple[int, list[RawRecord]]:
        """Write what is surely accepted into `part`; returns how many records the block has
        and those that Pydantic shall judge. `base` is the `_position` of the first."""
        ...

    def begin(self, block: Block) -> None:
        """Look at the first block, before any goes through."""
        ...

    def learn(self, lines: list[str]) -> None:
        """Look at records that Pydantic had to accept."""
        ...


class JsonLane:
    """For records in lines: see ingest.gate.sql.from_json."""

    def __init__(
        self,
        record: type[BaseModel],
        columns: dict[str, str],
        connection: duckdb.DuckDBPyConnection,
    ) -> None:
        self.closed: str | None = None
        self._connection = connection
        self._columns = columns
        self._select: str | None = None
        self._lessons = 0
        self._lock = threading.Lock()
        try:
            self._fields = compiled(record)
            self._shape = Shape(self._fields)
        except Unknown as unknown:
            self.closed = str(unknown)

    def begin(self, block: Block) -> None:
        self.learn([line.decode("utf-8", "replace") for line in block.head(_SAMPLE)])

    def learn(self, lines: list[str]) -> None:
        with self._lock:
            if self.closed or self._lessons >= _MOST_LESSONS:
                return
            self._lessons += 1
            self._shape.learn(lines[:_SAMPLE])
            if not (line := self._shape.line()):
                return
            select = sql.from_json(self._fields, self._columns, line, "<lines>")
            try:
                with self._connection.cursor() as cursor:
                    probe = select.replace("<lines>", sql.SPLIT)
                    cursor.execute(probe, {"data": b"{}", "base": 0})
                self._select = select
            except duckdb.Error:  # a pattern too large for RE2: keep the one before
                self._lessons = _MOST_LESSONS

    def split(
        self, cursor: duckdb.DuckDBPyConnection, block: Block, base: int, part: Path
    ) -> tuple[int, list[RawRecord]]:
        if self._select:
            try:
                if block.file and (found := self._through_file(cursor, block, base, part)):
                    return found
                block = block.in_memory()
                return self._through(cursor, block, base, part)
            except duckdb.Error:
                block = without_undecodable(block)
            try:
                return self._through(cursor, block, base, part, from_file=False)
            except duckdb.Error:
                pass  # Pydantic finds out what is wrong with which record
        records = list(json_records(block))
        return len(records), records

    def _through_file(
        self, cursor: duckdb.DuckDBPyConnection, block: Block, base: int, part: Path
    ) -> tuple[int, list[RawRecord]] | None:
        """As `split`; None where DuckDB sees other lines in the file than it has."""
        file = block.file
        if not file or not file.plain:
            return None
        select = str(self._select).replace("<lines>", sql.lines_of(file.path))
        read, rows = _copied(cursor, select, {"base": base}, part)
        # Empty lines are passed over, and not counted: positions would be wrong.
        if read != file.lines:
            return None
        first = (block.first or 1) - base
        return read, [parse_line(first + position, line) for position, line in rows]

    def _through(
        self,
        cursor: duckdb.DuckDBPyConnection,
        block: Block,
        base: int,
        part: Path,
        from_file: bool = True,
    ) -> tuple[int, list[RawRecord]]:
        data, select = block.data, str(self._select)
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n")
        read, rows = -1, []
        sound = not data.startswith(codecs.BOM_UTF8) and b"\r" not in data and b"\x01" not in data
        if from_file and data and sound:
            with _written(part, data) as path:
                text = select.replace("<lines>", sql.lines_of(path))
                read, rows = _copied(cursor, text, {"base": base}, part)
        # A file's empty lines are passed over, and not counted: positions would be wrong.
        if read != data.count(b"\n") + (not data.endswith(b"\n")):
            text = select.replace("<lines>", sql.SPLIT)
            read, rows = _copied(cursor, text, {"data": data, "base": base}, part)
        first = (block.first or 1) - base
        rest = [parse_line(first + position, line) for position, line in rows]
        return read + len(block.spoiled), [*rest, *block.spoiled]


class CsvLane:
    """For rows of a CSV: see ingest.gate.sql.from_csv."""

    def __init__(
        self,
        record: type[BaseModel],
        columns: dict[str, str],
        source: SourceFile,
        header: list[str],
    ) -> None:
        self.closed: str | None = None
        self._source = source
        self._header = header
        names = [f"c{place}" for place in range(len(header) + 1)]
        shape = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
        self._table = (
            f"read_csv(<path>, auto_detect = false, header = false, quote = '\"', escape = '\"', "
            "hive_partitioning = false, "
            f"delim = {literal(source.delimiter)}, strict_mode = true, null_padding = true, "
            f"nullstr = '{sql.NOTHING}', parallel = false, new_line = '\\n', columns = "
            + "{"
            + shape
            + "})"
        )
        try:
            self._select = sql.from_csv(compiled(record), columns, header, "<table>")
        except Unknown as unknown:
            self.closed = str(unknown)

    def begin(self, block: Block) -> None:
        pass

    def learn(self, lines: list[str]) -> None:
        pass

    def split(
        self, cursor: duckdb.DuckDBPyConnection, block: Block, base: int, part: Path
    ) -> tuple[int, list[RawRecord]]:
        # DuckDB drops such a mark wherever a file begins; here it is a part of the first cell.
        marked = block.data.startswith(codecs.BOM_UTF8)
        if not self.closed and block.records is None and not marked:
            try:
                with _written(part, with_line_feeds(block.data)) as path:
                    table = self._table.replace("<path>", file_literal(path))
                    select = self._select.replace("<table>", table)
                    read, rows = _copied(cursor, select, {"base": base}, part)
                records = [self._row(position - base + 1, cells) for position, cells in rows]
                if not any(self._is_too_long(raw) for raw in records):
                    return read, records
                # Mostly DuckDB fails on a row of many more cells than it reads, but now and
                # then it drops them, and the quarantine would keep a row that was cut.
                part.unlink()
            except duckdb.Error:
                pass  # a row that is too long, or of too many fields: Python's csv says which
        found = list(csv_records(block, self._source, self._header))
        return len(found), found

    def _is_too_long(self, raw: RawRecord) -> bool:
        return raw.fault is not None and len(raw.value) > len(self._header)

    def _row(self, position: int, cells: str) -> RawRecord:
        values = json.loads(cells)
        while values and values[-1] is None:
            values.pop()
        return row(position, values, self._header)


@contextmanager
def _written(part: Path, data: bytes) -> Generator[Path, None, None]:
    """A block as a file, which DuckDB reads faster than a parameter."""
    path = part.with_suffix(".block")
    path.write_bytes(data)
    try:
        yield path
    finally:
        path.unlink()


def _copied(
    cursor: duckdb.DuckDBPyConnection, select: str, values: dict[str, object], part: Path
) -> tuple[int, list[tuple[int, str]]]:
    """Write the SELECT into the Parquet file; returns its rows, and those with a `_raw`."""
    path = literal(str(part))
    copy = f"COPY ({select}) TO {path} {PASSING_PARQUET}"
    read = cursor.execute(copy, values).fetchall()[0][0]
    rest = f"SELECT _position, _raw FROM {parquet_table(part)} WHERE _raw IS NOT NULL"
    return read, cursor.execute(rest).fetchall()
