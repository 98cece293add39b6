"""Parquet goes through the gate in one statement: its values have types already."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
from pydantic import BaseModel

from ingest.duck import PASSING_PARQUET, literal, parquet_table
from ingest.errors import SourceError
from ingest.formats import RawRecord
from ingest.gate.compiling import compiled
from ingest.gate.nodes import Unknown
from ingest.gate.parquet_sql import from_parquet
from ingest.readers import exactly
from ingest.steps import SourceFile


class ParquetLane:
    """See ingest.gate.parquet_sql.from_parquet. `closed` says why nothing goes this way, or is None."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        record: type[BaseModel],
        columns: dict[str, str],
        source: SourceFile,
    ) -> None:
        """Look at the file's columns. Raises SourceError where it is no sound Parquet."""
        self.closed: str | None = None
        self._connection = connection
        self._table = parquet_table(source.path)
        self._numbered = parquet_table(source.path, "file_row_number = true")
        self._source = source
        self._values = exactly(connection, source)
        given = connection.sql(f"FROM {self._table}")
        self.names = [str(name) for name in given.columns]
        types = dict(zip(self.names, given.types, strict=True))
        try:
            if "file_row_number" in (name.lower() for name in self.names):
                raise Unknown("a file that has a column file_row_number itself")
            self._select = from_parquet(compiled(record), columns, types, self._numbered)
        except Unknown as unknown:
            self.closed = str(unknown)

    def split(self, part: Path, at_once: int) -> Iterator[list[RawRecord]]:
        """Write what is surely accepted into `part`; yields the rest for Pydantic."""
        rest = ""
        if not self.closed:
            try:
                path = literal(str(part))
                self._connection.execute(f"COPY ({self._select}) TO {path} {PASSING_PARQUET}")
                rest = (
                    f" WHERE file_row_number IN (SELECT _position FROM {parquet_table(part)} "
                    "WHERE _raw IS NOT NULL)"
                )
            except duckdb.Error as error:
                self.closed = f"DuckDB: {str(error).splitlines()[0]}"
                part.unlink(missing_ok=True)
        try:
            # All rows come in the file's order, so that they can be counted.
            table = self._numbered if rest else self._table
            found = self._connection.execute(f"SELECT {self._values} FROM {table}{rest}")
            before = 0
            while rows := found.fetchmany(at_once):
                yield [
                    # The file_row_number has no name here, so zip leaves it out.
                    RawRecord(
                        (row[-1] if rest else before + n) + 1,
                        dict(zip(self.names, row, strict=False)),
                    )
                    for n, row in enumerate(rows)
                ]
                before += len(rows)
        except duckdb.Error as error:
            raise SourceError(
                f"{self._source.url} is no sound Parquet file: {str(error).splitlines()[0]}"
            ) from error

    def count(self) -> int:
        """How many records the file has."""
        found = self._connection.execute(f"SELECT count(*) FROM {self._table}").fetchall()
        return found[0][0]
