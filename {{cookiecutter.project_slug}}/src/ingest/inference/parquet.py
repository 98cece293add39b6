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
    "timestamp_ns": "NaiveDatetime",
    "timestamp with time zone": "AwareDatetime",
    "interval": "timedelta",
    "blob": "bytes",
}
_NESTED = ("decimal", "list", "array", "struct", "map")
_WIDE = ("ubigint", "hugeint", "uhugeint")


def parquet_shapes(source: SourceFile) -> tuple[Parts, int]:
    """The columns of a Parquet file, and how many rows it has. Raises SourceError."""
    try:
        with duckdb.connect() as connection:
            found = connection.sql(f"FROM {parquet_table(source.path)}")
            columns = list(zip(found.columns, found.types, strict=True))
            asked = ", ".join(
                f"count({quote(name)})"
                + (f", max({quote(name)})" if kind.id in _WIDE else ", NULL")
                for name, kind in columns
            )
            rows, *answers = found.aggregate(f"count(*), {asked}").fetchall()[0]
    except duckdb.Error as error:
        raise SourceError(
            f"{source.url} is no sound Parquet file: {str(error).splitlines()[0]}. Get it again; "
            "if it is the same, its producer must mend it."
        ) from error
    parts = []
    for place, (name, kind) in enumerate(columns):
        filled, most = answers[2 * place : 2 * place + 2]
        shape = Plain("int") if most is not None and 0 <= most <= MOST_BIGINT else _shape(kind)
        parts.append(Part(name, shape, filled < rows or shape == ANY))
    return Parts(tuple(parts)), rows


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
