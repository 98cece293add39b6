"""The fast lane for the rows of a CSV: see ingest.gate.sql.from_csv."""

from __future__ import annotations

import codecs
import json
from pathlib import Path

import duckdb
from pydantic import BaseModel

from ingest.blocks import Block
from ingest.cells import row, with_line_feeds
from ingest.duck import file_literal, literal
from ingest.formats import RawRecord
from ingest.gate import sql
from ingest.gate.compiling import compiled
from ingest.gate.lanes import copied, written
from ingest.gate.nodes import Unknown
from ingest.readers import csv_records
from ingest.steps import SourceFile


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
                with written(part, with_line_feeds(block.data)) as path:
                    table = self._table.replace("<path>", file_literal(path))
                    select = self._select.replace("<table>", table)
                    read, rows = copied(cursor, select, {"base": base}, part)
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
