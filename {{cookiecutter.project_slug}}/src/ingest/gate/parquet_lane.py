"""Parquet goes through the gate in one statement: its values have types already."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
from pydantic import BaseModel

from ingest.duck import literal
from ingest.errors import SourceError
from ingest.formats import RawRecord
from ingest.gate import sql
from ingest.gate.compiling import compiled
from ingest.gate.nodes import Unknown
from ingest.readers import open_parquet
from ingest.steps import SourceFile


class ParquetLane:
    """See ingest.gate.sql.from_parquet. `closed` says why nothing goes this way, or is None."""

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
        self._table = f"read_parquet({literal(str(source.path))}, file_row_number = true)"
        self._source = source
        open_parquet(connection, source, "DESCRIBE").fetchall()
        given = connection.sql(f"FROM read_parquet({literal(str(source.path))})")
        self.names = [str(name) for name in given.columns]
        types = dict(zip(self.names, given.types, strict=True))
        try:
            self._select = sql.from_parquet(compiled(record), columns, types, self._table)
        except Unknown as unknown:
            self.closed = str(unknown)

    def split(self, part: Path, at_once: int) -> Iterator[list[RawRecord]]:
        """Write what is surely accepted into `part`; yields the rest for Pydantic."""
        rest = f"SELECT * FROM {self._table}"
        if not self.closed:
            try:
                path = literal(str(part))
                self._connection.execute(f"COPY ({self._select}) TO {path} (FORMAT parquet)")
                rest += (
                    f" WHERE file_row_number IN (SELECT _position FROM read_parquet({path}) "
                    "WHERE _raw IS NOT NULL)"
                )
            except duckdb.Error as error:
                self.closed = f"DuckDB: {str(error).splitlines()[0]}"
                part.unlink(missing_ok=True)
        try:
            found = self._connection.execute(rest)
            while rows := found.fetchmany(at_once):
                yield [
                    RawRecord(values[-1] + 1, dict(zip(self.names, values[:-1], strict=True)))
                    for values in rows
                ]
        except duckdb.Error as error:
            raise SourceError(
                f"{self._source.url} is no sound Parquet file: {str(error).splitlines()[0]}"
            ) from error

    def count(self) -> int:
        """How many records the file has."""
        found = self._connection.execute(f"SELECT count(*) FROM {self._table}").fetchall()
        return found[0][0]
