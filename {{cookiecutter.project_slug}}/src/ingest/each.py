"""A transform that is given one record at a time, in Python."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from ingest.duck import file_literal, quote
from ingest.errors import TransformError

Record = dict[str, Any]
_AT_ONCE = 10_000
_HERE = "transform.py"


def each_record(transform: Callable[[Record], Record | None]) -> Callable[[Record], Record | None]:
    """Mark a transform as one that takes a record, as a dict, and returns a row, or None for none.

    It is many times slower than one that takes and returns a relation; the run says so. New
    columns get the type that fits all their values.
    """
    transform.each_record = True  # type: ignore[attr-defined]
    return transform


def is_each(transform: Any) -> bool:
    """Whether a transform was marked so."""
    return getattr(transform, "each_record", False)


def run_each(
    connection: duckdb.DuckDBPyConnection,
    transform: Any,
    records: duckdb.DuckDBPyRelation,
    columns: dict[str, str],
    path: Path,
) -> duckdb.DuckDBPyRelation:
    """The rows that `transform` makes of each of the records, by way of the file `path`.

    Raises TransformError where it fails or returns neither a dict nor None.
    """
    names = records.columns
    found, written = records.execute(), False
    with path.open("w", encoding="utf-8") as out:
        while rows := found.fetchmany(_AT_ONCE):
            for values in rows:
                row = _called(transform, dict(zip(names, values, strict=True)))
                if row is not None:
                    out.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")
                    written = True
    if not written:
        return connection.sql("SELECT * FROM records WHERE false")
    source = (
        f"read_json({file_literal(path)}, hive_partitioning = false, "
        "format = 'newline_delimited', sample_size = -1)"
    )
    made = [str(row[0]) for row in connection.execute(f"DESCRIBE FROM {source}").fetchall()]
    known = [f"{quote(name)}::{columns[name]} AS {quote(name)}" for name in made if name in columns]
    replaced = f" REPLACE ({', '.join(known)})" if known else ""
    return connection.sql(f"SELECT *{replaced} FROM {source}")


def _called(transform: Any, record: Record) -> Record | None:
    try:
        row = transform(record)
    except Exception as error:
        raise TransformError(
            f"{_HERE} failed with {type(error).__name__}: {error}, on the record "
            f"{str(record)[:300]}"
        ) from error
    if row is not None and not isinstance(row, dict):
        raise TransformError(f"{_HERE} returned {row!r} for a record; it must be a dict or None.")
    return row
