"""The shapes of a Parquet file's columns: it says itself what they are, but for nulls."""

from __future__ import annotations

from typing import Any

import duckdb
from duckdb.sqltypes import DuckDBPyType

from ingest.duck import parquet_table, quote
from ingest.errors import SourceError
from ingest.inference.shapes import ANY, BIG, Many, Mapped, Maybe, Part, Parts, Plain, Shape
from ingest.inference.texts import MOST_BIGINT
from ingest.steps import SourceFile

_SCALARS = {
    "boolean": "bool",
    "tinyint": "int",
    "smallint": "int",
    "integer": "int",
    "bigint": "int",
    "utinyint": "int",
    "usmallint": "int",
    "uinteger": "int",
    "float": "float",
    "double": "float",
    "varchar": "str",
    "enum": "str",
    "uuid": "UUID",
    "date": "date",
    "time": "time",
    "timestamp": "NaiveDatetime",
    "timestamp_s": "NaiveDatetime",
    "timestamp_ms": "NaiveDatetime",
    "timestamp_ns": "str",
    "time_ns": "str",
    "timestamp with time zone": "AwareDatetime",
    "interval": "timedelta",
    "blob": "Base64",
}
_NESTED = ("decimal", "list", "array", "struct", "map")
_WIDE = ("ubigint", "hugeint", "uhugeint")
# What a column of nanoseconds is where it has none, as what pandas writes mostly does.
_WITHOUT = {"timestamp_ns": ("TIMESTAMP", "NaiveDatetime"), "time_ns": ("TIME", "time")}
_INFINITE = ("bool_or(isinf({}))", "infinity becomes the last day of the year 9999")
# What Python has no value for, how it is found, and what it becomes.
_LOSSES = {
    "interval": (
        "bool_or(datepart('year', {0}) <> 0 OR datepart('month', {0}) <> 0)",
        "a month becomes 30 days",
    ),
    "date": _INFINITE,
    "timestamp": _INFINITE,
    "timestamp with time zone": _INFINITE,
}


def parquet_shapes(source: SourceFile) -> tuple[Parts, int, tuple[str, ...]]:
    """The columns of a Parquet file, how many rows it has, and what of it will change.

    Raises SourceError.
    """
    try:
        with duckdb.connect() as connection:
            found = connection.sql(f"FROM {parquet_table(source.path)}")
            columns = list(zip(found.columns, found.types, strict=True))
            asked = ", ".join(
                f"count({quote(name)}), {_asked(quote(name), kind)}" for name, kind in columns
            )
            rows, *answers = found.aggregate(f"count(*), {asked}").fetchall()[0]
    except duckdb.Error as error:
        raise SourceError(
            f"{source.url} is no sound Parquet file: {str(error).splitlines()[0]}. Get it again; "
            "if it is the same, its producer must mend it."
        ) from error
    parts, losses = [], []
    for place, (name, kind) in enumerate(columns):
        filled, most = answers[2 * place : 2 * place + 2]
        shape = _shape(kind)
        if kind.id in _WIDE and most is not None and 0 <= most <= MOST_BIGINT:
            shape = Plain("int")
        elif kind.id in _WITHOUT and not most:
            shape = Plain(_WITHOUT[kind.id][1])
        elif kind.id in _LOSSES and most:
            losses.append(f"{name!r}: {_LOSSES[kind.id][1]}")
        parts.append(Part(name, shape, filled < rows or shape == ANY))
    return Parts(tuple(parts)), rows, tuple(losses)


def _asked(column: str, kind: DuckDBPyType) -> str:
    """What is to be known of a column of this type: its greatest value, or what it has of it."""
    if kind.id in _WIDE:
        return f"max({column})"
    if kind.id in _WITHOUT:
        return f"bool_or({column}::{_WITHOUT[kind.id][0]}::{kind} <> {column})"
    return _LOSSES[kind.id][0].format(column) if kind.id in _LOSSES else "NULL"


def _shape(kind: DuckDBPyType) -> Shape:
    if kind.id in _SCALARS:
        return Plain(_SCALARS[kind.id])
    if kind.id in _WIDE:
        return BIG
    # A list says its child, a map its key and value, a decimal its precision and scale.
    inner: dict[str, Any] = dict(kind.children) if kind.id in _NESTED else {}
    if kind.id == "decimal":
        return Plain(f"Decimal{inner['scale']}")
    if kind.id in ("list", "array"):
        return Many(_maybe(inner["child"]))
    if kind.id == "struct" and inner:
        return Parts(tuple(Part(name, _shape(one), True) for name, one in inner.items()))
    if kind.id == "map":
        return Mapped(_maybe(inner["value"])) if _shape(inner["key"]) == Plain("str") else ANY
    return ANY


def _maybe(kind: DuckDBPyType) -> Shape:
    shape = _shape(kind)
    return shape if shape == ANY else Maybe(shape)
