"""The fast lane of each text format: a block goes in, what it is not sure of comes out.

What it is sure of lies then in a Parquet file: `_position`, `_raw` (null) and the columns.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import duckdb

from ingest.blocks import Block
from ingest.duck import PASSING_PARQUET, literal, parquet_table
from ingest.formats import RawRecord


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


@contextmanager
def written(part: Path, data: bytes) -> Generator[Path, None, None]:
    """A block as a file, which DuckDB reads faster than a parameter."""
    path = part.with_suffix(".block")
    path.write_bytes(data)
    try:
        yield path
    finally:
        path.unlink()


def copied(
    cursor: duckdb.DuckDBPyConnection, select: str, values: dict[str, object], part: Path
) -> tuple[int, list[tuple[int, str]]]:
    """Write the SELECT into the Parquet file; returns its rows, and those with a `_raw`."""
    path = literal(str(part))
    copy = f"COPY ({select}) TO {path} {PASSING_PARQUET}"
    read = cursor.execute(copy, values).fetchall()[0][0]
    rest = f"SELECT _position, _raw FROM {parquet_table(part)} WHERE _raw IS NOT NULL"
    return read, cursor.execute(rest).fetchall()
