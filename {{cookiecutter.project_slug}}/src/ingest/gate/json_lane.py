"""The fast lane for records in lines: see ingest.gate.sql.from_json."""

from __future__ import annotations

import codecs
import math
import threading
import time
from dataclasses import replace
from pathlib import Path

import duckdb
from pydantic import BaseModel

from ingest.blocks import Block, without_undecodable
from ingest.formats import RawRecord
from ingest.gate import sql
from ingest.gate.compiling import compiled
from ingest.gate.lanes import copied, written
from ingest.gate.nodes import Unknown
from ingest.gate.same_text import same_text
from ingest.gate.shapes import Shape
from ingest.readers import json_records, parse_line

_SAMPLE = 1000  # lines from which is learned how a source writes its records
_ROUNDS = 3  # in which two ways are compared
_MOST_LESSONS = 8


class JsonLane:
    """Learns from a source's first lines which way is the fastest for it."""

    def __init__(self, record: type[BaseModel], columns: dict[str, str]) -> None:
        self.closed: str | None = None
        self._columns = columns
        self._selects: list[str] = []  # the fastest first; each does all that the last one does
        self._sample: list[str] = []
        self._lessons = 0
        self._lock = threading.Lock()
        try:
            self._fields = compiled(record)
            self._shape = Shape(self._fields)
        except Unknown as unknown:
            self.closed = str(unknown)

    def begin(self, block: Block) -> None:
        lines = block.in_memory().data.split(b"\n", _SAMPLE)[:_SAMPLE]
        self._sample = [line.decode("utf-8", "replace") for line in lines]
        self.learn(self._sample)

    def learn(self, lines: list[str]) -> None:
        with self._lock:
            if self.closed or self._lessons >= _MOST_LESSONS:
                return
            self._lessons += 1
            self._shape.learn(lines[:_SAMPLE])
            if not (pattern := self._shape.pattern()):
                return
            select = sql.from_json(self._fields, self._columns, pattern, "<lines>")
            try:
                with duckdb.connect() as connection:
                    probe = select.replace("<lines>", sql.SPLIT)
                    connection.execute(probe, {"data": b"{}", "base": 0})
            except duckdb.Error:  # a pattern too large for RE2: keep the one before
                self._lessons = _MOST_LESSONS
                return
            self._selects = [*self._without_pattern(pattern, select), select]

    def _without_pattern(self, pattern: str, usual: str) -> list[str]:
        """The ways of ingest.gate.same_text, if the first records go them faster."""
        try:
            same = same_text(self._fields, self._columns, self._shape)
            ways = [
                sql.from_json(self._fields, self._columns, pattern, "<lines>", way)
                for way in (same, replace(same, guarded=True))
            ]
            return ways if self._is_faster(ways[1], usual) else []
        except (Unknown, duckdb.Error):
            return []

    def _is_faster(self, select: str, usual: str) -> bool:
        """Whether a way takes less time than another, for the first records.

        Which does depends on the contract, on how many lines are proved by their text, and on
        the machine; nothing but the time depends on what is found here.
        """
        if len(self._sample) < _SAMPLE:
            return False
        best = {select: math.inf, usual: math.inf}
        values = {"data": "\n".join(self._sample).encode(), "base": 0}
        with duckdb.connect() as connection:
            for way in (select, usual) * _ROUNDS:
                began = time.perf_counter()
                text = f"SELECT max(hash(found)) FROM ({way.replace('<lines>', sql.SPLIT)}) found"
                connection.execute(text, values).fetchall()
                best[way] = min(best[way], time.perf_counter() - began)
        return best[select] < best[usual]

    def split(
        self, cursor: duckdb.DuckDBPyConnection, block: Block, base: int, part: Path
    ) -> tuple[int, list[RawRecord]]:
        if self._selects:
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
        read, rows = self._copied(cursor, sql.lines_of(file.path), {"base": base}, part)
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
        data = block.data
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n")
        read, rows = -1, []
        sound = not data.startswith(codecs.BOM_UTF8) and b"\r" not in data and b"\x01" not in data
        if from_file and data and sound:
            with written(part, data) as path:
                read, rows = self._copied(cursor, sql.lines_of(path), {"base": base}, part)
        # A file's empty lines are passed over, and not counted: positions would be wrong.
        if read != data.count(b"\n") + (not data.endswith(b"\n")):
            values: dict[str, object] = {"data": data, "base": base}
            read, rows = self._copied(cursor, sql.SPLIT, values, part)
        first = (block.first or 1) - base
        rest = [parse_line(first + position, line) for position, line in rows]
        return read + len(block.spoiled), [*rest, *block.spoiled]

    def _copied(
        self, cursor: duckdb.DuckDBPyConnection, lines: str, values: dict[str, object], part: Path
    ) -> tuple[int, list[tuple[int, str]]]:
        """See ingest.gate.lanes.copied. Where the fastest way fails, the next one is taken."""
        ways = self._selects
        for place, select in enumerate(ways):
            try:
                found = copied(cursor, select.replace("<lines>", lines), values, part)
            except duckdb.Error:
                if place == len(ways) - 1:
                    raise
            else:
                # A source with one line that is no JSON has more of them.
                if place and self._selects is ways:
                    self._selects = ways[place:]
                return found
        raise AssertionError("a lane without a way")
