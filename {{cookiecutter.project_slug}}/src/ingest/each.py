"""A transform that is given one record at a time, in Python.

Its rows go through a file, so that they take no memory. DuckDB is told the type of each column of
it and detects none: text that looks like a date is no date for that.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from ingest.duck import file_literal, literal, quote
from ingest.errors import TransformError
from ingest.values import UNTYPED, Column, of_type, with_value

Record = dict[str, Any]
_AT_ONCE = 10_000
_HERE = "transform.py"
_LONGEST = 16_777_216  # bytes of a line that DuckDB reads unless told otherwise


def each_record(transform: Callable[[Record], Record | None]) -> Callable[[Record], Record | None]:
    """Mark a transform as one that takes a record, as a dict, and returns a row, or None for none.

    It is many times slower than one that takes and returns a relation; the run says so. A field
    of the contract keeps its type, a new column gets that of its values; see docs/CONTRACT.md.
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
    path: Path,
) -> duckdb.DuckDBPyRelation:
    """The rows that `transform` makes of each of the records, by way of the file `path`.

    Raises TransformError where it fails, returns neither a dict nor None, or returns a value that
    its column cannot have.
    """
    names = records.columns
    columns = _Columns(
        {name: of_type(kind) for name, kind in zip(names, records.types, strict=True)}
    )
    found, longest = connection.execute("FROM records"), _LONGEST
    with path.open("wb") as out:
        while rows := found.fetchmany(_AT_ONCE):
            for values in rows:
                row = _called(transform, dict(zip(names, values, strict=True)))
                if row is not None:
                    line = json.dumps(columns.taken(row), ensure_ascii=False).encode()
                    longest = max(longest, len(line) + 1)
                    out.write(line + b"\n")
    if not columns.used:
        return connection.sql("SELECT * FROM records WHERE false")
    read = ", ".join(f"{literal(n)}: {literal(c.read_as)}" for n, c in columns.used.items())
    types = "{" + read + "}"
    made = ", ".join(f"{quote(n)}::{c.kind} AS {quote(n)}" for n, c in columns.used.items())
    return connection.sql(
        f"SELECT {made} FROM read_json({file_literal(path)}, hive_partitioning = false, "
        f"format = 'newline_delimited', maximum_object_size = {longest}, columns = {types})"
    )


class _Columns:
    """The columns of the rows: those of the records, and new ones, typed by their values."""

    def __init__(self, known: dict[str, Column]) -> None:
        self.used: dict[str, Column] = {}
        self._known = known
        self._spelled = {name.lower(): name for name in known}  # DuckDB's names ignore case

    def taken(self, row: Record) -> Record:
        """The row as JSON can hold it. Raises TransformError."""
        taken = {}
        for given, value in row.items():
            name = given if given in self.used else self._named(given)
            if name in taken:
                raise TransformError(f"{_HERE} returned the column {name!r} twice: {_cut(row)}.")
            taken[name] = None if value is None else self._value(name, value)
        return taken

    def _named(self, given: Any) -> str:
        if not _is_name(given):
            raise TransformError(
                f"{_HERE} returned {_cut(given)} as the name of a column. A name is a text of one "
                "or more characters, without NUL and halves of surrogate pairs."
            )
        name = self._spelled.setdefault(given.lower(), given)
        # Until a new one has a value, its type is that of text.
        self.used.setdefault(name, self._known.get(name, UNTYPED))
        return name

    def _value(self, name: str, value: Any) -> Any:
        column = self.used[name]
        try:
            if name not in self._known:
                column = self.used[name] = with_value(column, value)
            return column.take(value)
        except (ValueError, TypeError, ArithmeticError, RecursionError) as error:
            raise TransformError(
                f"{_HERE} returned {_cut(value)} for the column {name!r}, which does not fit its "
                f"type {column.kind}: {error}. Return what fits, or None. A column's type is that "
                "of its field in contract.py, and without one that of its first value."
            ) from error


def _is_name(given: Any) -> bool:
    # Text that UTF-8 cannot write is none that DuckDB can be told.
    return (
        isinstance(given, str)
        and given != ""
        and "\0" not in given
        and given.encode(errors="ignore").decode() == given
    )


def _cut(value: Any) -> str:
    return f"{value!r:.200}"


def _called(transform: Any, record: Record) -> Record | None:
    try:
        row = transform(record)
    except Exception as error:
        raise TransformError(
            f"{_HERE} failed with {type(error).__name__}: {error}, on the record "
            f"{str(record)[:300]}"
        ) from error
    if row is not None and not (isinstance(row, dict) and row):
        raise TransformError(
            f"{_HERE} returned {_cut(row)} for a record; it must be a dict of columns, or None."
        )
    return row
