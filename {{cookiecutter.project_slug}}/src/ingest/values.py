"""What a column of a DuckDB type takes of Python's values, as the JSON that it is read from.

What a type does not take is refused here, since a cast of DuckDB's may lose something: of 1.5 it
makes a 2, and of a text that looks like a date another text, where it is to find the type.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any, NamedTuple
from uuid import UUID

from ingest.duck import quote

_Taken = Callable[[Any], Any]
# The types of new columns, by that of a value; the first that fits.
_NEW: tuple[tuple[tuple[type, ...], str], ...] = (
    ((bool,), "BOOLEAN"),
    ((int,), "BIGINT"),
    ((float,), "DOUBLE"),
    ((str, Decimal), "VARCHAR"),
    ((datetime,), "TIMESTAMP"),
    ((date,), "DATE"),
    ((time,), "TIME"),
    ((UUID,), "UUID"),
    ((dict, list, tuple, set, frozenset), "JSON"),
)


class Column(NamedTuple):
    """kind: its type. read_as: the same with text for JSON, which shall stay as it was written.

    take: makes of a value, which is not None, what is written. Raises ValueError, TypeError,
    ArithmeticError or RecursionError, in words that go on from "the value does not fit".
    """

    kind: str
    read_as: str
    take: _Taken


def of_type(kind: Any) -> Column:
    """A column of a DuckDB type, which may be nested."""
    if str(kind) == "JSON":
        return JSON
    if kind.id not in ("struct", "map", "list"):
        return scalar(str(kind))
    inner = {name: of_type(child) for name, child in kind.children}
    if kind.id == "struct":
        fields = ", ".join(f"{quote(name)} {column.read_as}" for name, column in inner.items())
        return Column(str(kind), f"STRUCT({fields})", lambda value: _struct(value, inner))
    if kind.id == "map":
        item = inner["value"]
        return Column(
            str(kind), f"MAP(VARCHAR, {item.read_as})", lambda value: _mapping(value, item)
        )
    item = inner["child"]
    return Column(str(kind), f"{item.read_as}[]", lambda value: _array(value, item))


def with_value(column: Column, value: Any) -> Column:
    """What a new column, UNTYPED at first, is when it has this value too. Raises TypeError."""
    kind = next((kind for types, kind in _NEW if isinstance(value, types)), None)
    if kind is None:
        raise TypeError(f"no column can hold the type {type(value).__name__}")
    if kind == "TIMESTAMP" and value.tzinfo is not None:
        kind = "TIMESTAMP WITH TIME ZONE"
    if column is UNTYPED or (column.kind, kind) == ("BIGINT", "DOUBLE"):
        return JSON if kind == "JSON" else scalar(kind)
    return column


def scalar(kind: str) -> Column:
    """A column of a type that is not nested."""
    name, _, size = kind.partition("(")
    types, make = _TAKEN[name]

    def take(value: Any) -> Any:
        # A bool is an int to Python, and a datetime a date.
        odd = (name != "BOOLEAN" and isinstance(value, bool)) or (
            name == "DATE" and isinstance(value, datetime)
        )
        if odd or not isinstance(value, types):
            raise TypeError(f"it is of type {type(value).__name__}")
        return make(value)

    if name == "DECIMAL":
        width, places = map(int, size.rstrip(")").split(","))
        return Column(kind, kind, lambda value: _decimal(take(value), width, places))
    return Column(kind, kind, take)


def _decimal(text: str, width: int, places: int) -> str:
    try:
        number = Decimal(text).quantize(
            Decimal(1).scaleb(-places), ROUND_HALF_UP, Context(prec=width)
        )
    except InvalidOperation:
        number = Decimal("NaN")
    if number.is_nan():
        raise ValueError(f"it is no number of {width} digits, {places} of them places")
    return f"{number:f}"


def _bounded(value: int) -> int:
    if not -(2**63) <= value < 2**63:
        raise ValueError("a whole number has 64 bits")
    return value


def _text(value: str | Decimal) -> str:
    text = value if isinstance(value, str) else str(value)
    text.encode()  # raises for half of a surrogate pair
    return text


def _naive(value: Any) -> Any:
    if value.tzinfo is not None:
        raise ValueError("it has an offset")
    return value


def _parsed(kind: Any, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return UUID(value) if kind is UUID else kind.fromisoformat(value)


def _json(value: Any) -> str:
    if isinstance(value, str):  # as DuckDB gives JSON
        return _text(value)
    return _text(json.dumps(value, ensure_ascii=False, allow_nan=False, default=_in_json))


def _in_json(value: Any) -> Any:
    return list(value) if isinstance(value, set | frozenset) else str(value)


def _struct(value: Any, inner: dict[str, Column]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"it is of type {type(value).__name__}")
    if odd := value.keys() - inner.keys():
        raise ValueError(f"it has no field {min(map(repr, odd))}")
    return {name: _or_none(value.get(name), column) for name, column in inner.items()}


def _mapping(value: Any, item: Column) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise TypeError("it is no dict whose keys are text")
    return {_text(key): _or_none(one, item) for key, one in value.items()}


def _array(value: Any, item: Column) -> list[Any]:
    if not isinstance(value, list | tuple | set | frozenset):
        raise TypeError(f"it is of type {type(value).__name__}")
    return [_or_none(one, item) for one in value]


def _or_none(value: Any, column: Column) -> Any:
    return None if value is None else column.take(value)


# What each type takes, and what of it is written; all others are refused, since a cast may lose
# something: 1.5 becomes 2. Text is taken for what it says, as in SQL.
_TAKEN: dict[str, tuple[tuple[type, ...], _Taken]] = {
    "BOOLEAN": ((bool,), bool),
    "BIGINT": ((int, str), lambda value: _bounded(int(value))),
    "DOUBLE": ((float, int, Decimal, str), float),
    "DECIMAL": ((Decimal, int, float, str), str),
    "VARCHAR": ((str, Decimal), _text),
    "UUID": ((UUID, str), lambda value: str(_parsed(UUID, value))),
    "DATE": ((date, str), lambda value: str(_parsed(date, value))),
    "TIME": ((time, str), lambda value: str(_naive(_parsed(time, value)))),
    "TIMESTAMP": ((datetime, str), lambda value: str(_naive(_parsed(datetime, value)))),
    "TIMESTAMP WITH TIME ZONE": ((datetime, str), lambda value: str(_parsed(datetime, value))),
}
JSON = Column("JSON", "VARCHAR", _json)
UNTYPED = Column("VARCHAR", "VARCHAR", _text)
