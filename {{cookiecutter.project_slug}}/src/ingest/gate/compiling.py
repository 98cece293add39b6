"""The contract as nodes of which the SQL gate is sure, read from Pydantic's own core schema.

The core schema is what Pydantic's validator is built from, so nothing that judges a record can
hide from this: each kind and each setting of it must be known here by name, and anything else
(a custom validator, a strict mode, an alias of several) is Unknown, and Pydantic judges alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from ingest.duck import literal
from ingest.gate import tokens
from ingest.na import NA_IS_NULL
from ingest.schema import columns_of

# A cell of any text; an empty one is left out.
ANY_CELL = "(?s:.)+"
# What does not change a verdict, whatever it says.
_HARMLESS = {
    "type",
    "metadata",
    "ref",
    "microseconds_precision",
    "sub_type",
    "cls",
    "generic_origin",
    "model_name",
}
# How records are judged and written; a model that overrides one does so its own way.
_WAYS = ("model_validate", "model_dump")
_MOST_FIELDS = 400


class Unknown(Exception):
    """What the gate does not know, in words: the field and the kind."""


# Makes a condition in SQL of a value in SQL.
Check = Callable[[str], str]


@dataclass(frozen=True)
class Leaf:
    """A value without parts.

    json, csv: patterns of its token and of its cell. checks: what else must hold of a value
    that is not null. typed: what the patterns say already, for values that come without text.
    kind: which sort of Parquet column has such values. na: the cell NA is null.
    """

    json: str
    csv: str | None
    kind: str
    checks: tuple[Check, ...] = ()
    typed: tuple[Check, ...] = ()
    nullable: bool = False
    na: bool = False


@dataclass(frozen=True)
class Many:
    """A list of `item`."""

    item: Node
    filled: bool
    checks: tuple[Check, ...] = ()
    nullable: bool = False


@dataclass(frozen=True)
class Named:
    """A dict of `value` by any key."""

    value: Leaf
    nullable: bool = False


@dataclass(frozen=True)
class Field:
    """A field of an object: `optional` where it may be missing (and is then null)."""

    key: str
    node: Node
    optional: bool


@dataclass(frozen=True)
class Fields:
    """An object with these fields; others are ignored unless it is `closed`."""

    fields: tuple[Field, ...]
    closed: bool
    nullable: bool = False


Node = Leaf | Many | Named | Fields


def compiled(record: type[BaseModel]) -> Fields:
    """The record model as a tree of nodes. Raises Unknown, and ContractError as columns_of."""
    columns_of(record)
    for name in _WAYS:
        own, usual = getattr(record, name), getattr(BaseModel, name)
        if getattr(own, "__func__", own) is not getattr(usual, "__func__", usual):
            raise Unknown(f"the record: a {name} of its own")
    node = _node(_unfolded(record.__pydantic_core_schema__, {}, ()), "the record")
    if not isinstance(node, Fields):
        raise Unknown("the record is no plain model")
    return node


def _unfolded(schema: Any, known: Mapping[str, Any], within: tuple[str, ...]) -> Any:
    """The schema with what is defined once and used several times put in each place.

    What holds itself is left as it is, and nobody knows it then.
    """
    if isinstance(schema, list):
        return [_unfolded(item, known, within) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kind = schema.get("type")
    if kind == "definitions" and isinstance(found := schema.get("definitions"), list):
        return _unfolded(schema["schema"], {item["ref"]: item for item in found}, within)
    if kind == "definition-ref" and schema.keys() <= {"type", "schema_ref", "metadata", "ref"}:
        name = schema["schema_ref"]
        if name in within or name not in known:
            return schema
        return _unfolded(known[name], known, (*within, name))
    # A default is a value of the user's, and no schema.
    return {
        key: value if key in ("default", "metadata") else _unfolded(value, known, within)
        for key, value in schema.items()
    }


def _node(schema: Mapping[str, Any], where: str) -> Node:
    kind = schema["type"]
    maker = _MAKERS.get(kind)
    if maker is None:
        raise Unknown(f"{where}: {_named(schema)}")
    return maker(schema, where)


def _named(schema: Mapping[str, Any]) -> str:
    kind = schema["type"]
    if kind.startswith("function"):
        return "a validator of its own"
    return {"definition-ref": "a model that holds itself"}.get(kind, f"the type {kind}")


def _only(schema: Mapping[str, Any], where: str, *known: str) -> None:
    """Raise Unknown for a setting that is not among those known to be understood."""
    for name in schema.keys() - _HARMLESS - set(known):
        raise Unknown(f"{where}: the setting {name} of {_named(schema)}")


def _model(schema: Mapping[str, Any], where: str) -> Fields:
    _only(schema, where, "schema", "config", "custom_init", "root_model", "frozen")
    if schema.get("custom_init") or schema.get("root_model"):
        raise Unknown(f"{where}: a model with an __init__ or a root of its own")
    config = dict(schema.get("config", ()))
    extra = config.pop("extra_fields_behavior", "ignore")
    if extra == "allow" or config.keys() - {"title", "frozen", "from_attributes"}:
        raise Unknown(f"{where}: its model_config")
    inner = schema["schema"]
    if inner["type"] != "model-fields":
        raise Unknown(f"{where}: {_named(inner)}")
    _only(inner, where, "fields", "computed_fields")
    if inner.get("computed_fields"):
        raise Unknown(f"{where}: computed fields")
    fields = tuple(_field(name, field, where) for name, field in inner["fields"].items())
    # Such a model has no STRUCT: its column is JSON, whose text a parser may write anew.
    distinct = {field.key.lower() for field in fields}
    if not fields or len(distinct) < len(fields) or len(fields) > _MOST_FIELDS:
        raise Unknown(f"{where}: no field, too many, or two that differ by case")
    return Fields(fields, extra == "forbid")


def _field(name: str, field: Mapping[str, Any], where: str) -> Field:
    where = name if where == "the record" else f"{where}.{name}"
    _only(field, where, "schema", "validation_alias", "serialization_alias")
    key = field.get("validation_alias", name)
    if key != field.get("serialization_alias", name) or not isinstance(key, str):
        raise Unknown(f"{where}: an alias that differs between reading and writing")
    inner, optional = field["schema"], False
    if inner["type"] == "default":
        _only(inner, where, "schema", "default", "default_factory", "default_factory_takes_data")
        # Another default than None has to be written into the row: Pydantic does that.
        optional = "default" in inner and inner["default"] is None
        inner = inner["schema"]
    return Field(key, _node(inner, where), optional)


def _nullable(schema: Mapping[str, Any], where: str) -> Node:
    _only(schema, where, "schema")
    return replace(_node(schema["schema"], where), nullable=True)


_TEXTS = ("str", "any", "union", "choice")


def _na_or(schema: Mapping[str, Any], where: str) -> Node:
    """`NA_IS_NULL` before a type, the one validator of the template's own."""
    if schema["function"] != {"type": "no-info", "function": NA_IS_NULL.func}:
        raise Unknown(f"{where}: a validator of its own")
    _only(schema, where, "schema", "function")
    node = _node(schema["schema"], where)
    if not isinstance(node, Leaf) or not node.csv or not node.nullable or node.kind in _TEXTS:
        raise Unknown(f"{where}: NA_IS_NULL before text, or before what cannot be null")
    return replace(node, csv=f"(?:NA|{node.csv})", na=True)


def _bounds(schema: Mapping[str, Any], where: str, *also: str) -> dict[str, Any]:
    _only(schema, where, "ge", "gt", "le", "lt", *also)
    return {name: schema[name] for name in ("ge", "gt", "le", "lt") if schema.get(name) is not None}


_SIGNS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}


def _compared(bounds: dict[str, Any], text: Callable[[Any], str]) -> tuple[Check, ...]:
    return tuple(_check(f"{_SIGNS[name]} {text(bound)}") for name, bound in bounds.items())


def _check(condition: str) -> Check:
    """`value` and what stands behind it."""
    return lambda value: f"{value} {condition}"


def _int(schema: Mapping[str, Any], where: str) -> Leaf:
    bounds = _bounds(schema, where)
    if not all(type(bound) is int for bound in bounds.values()):
        raise Unknown(f"{where}: a bound that is no integer")
    lows = [bounds[name] + (name == "gt") for name in ("ge", "gt") if name in bounds]
    highs = [bounds[name] - (name == "lt") for name in ("le", "lt") if name in bounds]
    pattern = tokens.integer(max(lows, default=None), min(highs, default=None))
    return Leaf(pattern, pattern, "int", typed=_compared(bounds, str))


def _float(schema: Mapping[str, Any], where: str) -> Leaf:
    bounds = _bounds(schema, where, "allow_inf_nan")
    for bound in bounds.values():
        if not isinstance(bound, int | float) or not math.isfinite(bound) or abs(bound) > 2**53:
            raise Unknown(f"{where}: a bound that is no plain number")
    checks = _compared(bounds, lambda bound: f"{float(bound)!r}::DOUBLE")
    return Leaf(tokens.FLOAT, tokens.FLOAT, "float", checks, (lambda value: f"isfinite({value})",))


def _decimal(schema: Mapping[str, Any], where: str) -> Leaf:
    bounds = _bounds(schema, where, "max_digits", "decimal_places", "allow_inf_nan")
    places, digits = schema.get("decimal_places"), schema.get("max_digits") or 38
    whole = min(digits, 38) - (places or 0)
    if places is None or not 0 <= places <= 10 or whole < 1:
        raise Unknown(f"{where}: a Decimal of more than 10 places, or of no digit before them")
    for bound in bounds.values():
        number = Decimal(bound)
        if not number.is_finite() or abs(number) >= 10**20 or number != round(number, places):
            raise Unknown(f"{where}: a bound that is no plain number of as many places")
    signed = not any(bounds.get(name, -1) >= 0 for name in ("ge", "gt"))
    checks = _compared(
        {name: bound for name, bound in bounds.items() if (name, bound) != ("ge", 0)},
        lambda bound: f"{Decimal(bound):f}::DECIMAL(38, {places})",
    )
    typed = (lambda value: f"abs({value}) < 1{'0' * min(whole, 27)}::DECIMAL(38, {places})",)
    if not signed:
        typed += (_check(">= 0"),)
    # As a JSON number it passes through a double, which keeps 15 digits; a text keeps all.
    number = tokens.decimal(min(whole, 15 - places), places, signed=signed)
    text = tokens.decimal(min(whole, 27), places, signed=signed)
    return Leaf(f'(?:{number}|"{text}")', text, f"decimal {places}", checks, typed)


def _str(schema: Mapping[str, Any], where: str) -> Leaf:
    _only(schema, where, "pattern", "min_length", "max_length")
    least, most = schema.get("min_length") or 0, schema.get("max_length")
    lengths = [f"<= {int(most)}"] if most is not None else []
    lengths += [f">= {int(least)}"] if least > 1 else []
    checks = tuple(_length(condition) for condition in lengths)
    filled: tuple[Check, ...] = (lambda value: f"strlen({value}) > 0",) if least else ()
    if (pattern := schema.get("pattern")) is None:
        many = "+" if least else "*"
        return Leaf(f'"{tokens.CHARACTER}{many}"', ANY_CELL, "str", checks, filled)
    found = tokens.searched(pattern) if isinstance(pattern, str) else None
    if found is None:
        raise Unknown(f"{where}: the pattern {pattern!r}")
    # What is found in an empty string is not asked: such a one goes to Pydantic.
    typed: tuple[Check, ...] = (lambda value: f"regexp_full_match({value}, {literal(found)})",)
    if least:
        checks += filled
    return Leaf(f'"{found}"', found, "str", checks, typed)


def _length(condition: str) -> Check:
    return lambda value: f"length({value}) {condition}"


def _bool(schema: Mapping[str, Any], where: str) -> Leaf:
    _only(schema, where)
    return Leaf(tokens.BOOLEAN, tokens.BOOLEAN, "bool")


def _date(schema: Mapping[str, Any], where: str) -> Leaf:
    _only(schema, where)
    return Leaf(f'"{tokens.DATE}"', tokens.DATE, "date")


def _datetime(schema: Mapping[str, Any], where: str) -> Leaf:
    _only(schema, where, "tz_constraint")
    constraint = schema.get("tz_constraint")
    either = f"(?:{tokens.AWARE}|{tokens.NAIVE})"
    choices = {"aware": tokens.AWARE, "naive": tokens.NAIVE, None: either}
    if constraint not in choices:
        raise Unknown(f"{where}: a fixed offset")
    pattern = choices[constraint]
    return Leaf(f'"{pattern}"', pattern, f"datetime {constraint or 'any'}")


def _uuid(schema: Mapping[str, Any], where: str) -> Leaf:
    _only(schema, where)
    return Leaf(f'"{tokens.UUID}"', tokens.UUID, "uuid")


def _choice(schema: Mapping[str, Any], where: str, values: list[Any]) -> Leaf:
    """One of fixed values, of which JSON and Python agree what they are."""
    if not values or any(type(value) not in (str, int, bool, type(None)) for value in values):
        raise Unknown(f"{where}: a choice of other values than strings, integers and booleans")
    spelled = {json_text(value) for value in values if value is not None}
    texts = [value for value in values if isinstance(value, str)]
    kinds = {type(value) for value in values if value is not None}
    # As cells all are strings: '1' is not the integer 1, so Pydantic refuses it.
    csv = tokens.one_of(texts) if kinds == {str} else None
    quoted = ", ".join(literal(text) for text in texts)
    typed = (_check(f"IN ({quoted})"),) if kinds == {str} else ()
    kind = "str" if kinds == {str} else "choice"
    pattern = tokens.one_of(sorted(spelled)) if spelled else "null"
    return Leaf(pattern, csv, kind, (), typed, nullable=None in values)


def json_text(value: Any) -> str:
    """A string, integer or boolean as JSON writes it, if it needs no escape.

    Raises Unknown where it does: the same text has several spellings then.
    """
    if isinstance(value, str):
        if any(ord(char) < 0x20 or char in '"\\' for char in value):
            raise Unknown(f"the text {value!r} needs escapes in JSON")
        return f'"{value}"'
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def _literal_values(schema: Mapping[str, Any], where: str) -> Leaf:
    _only(schema, where, "expected")
    return _choice(schema, where, list(schema["expected"]))


def _enum(schema: Mapping[str, Any], where: str) -> Leaf:
    _only(schema, where, "members")
    return _choice(schema, where, [member.value for member in schema["members"]])


def _list(schema: Mapping[str, Any], where: str) -> Many:
    _only(schema, where, "items_schema", "min_length", "max_length")
    least, most = schema.get("min_length") or 0, schema.get("max_length")
    sizes = [f"<= {int(most)}"] if most is not None else []
    sizes += [f">= {int(least)}"] if least > 1 else []
    item = _node(schema["items_schema"], f"{where}[]")
    return Many(item, least > 0, tuple(_size(condition) for condition in sizes))


def _size(condition: str) -> Check:
    return lambda value: f"len({value}) {condition}"


def _dict(schema: Mapping[str, Any], where: str) -> Named:
    _only(schema, where, "keys_schema", "values_schema")
    value = _node(schema["values_schema"], f"{where}.*")
    if set(schema["keys_schema"]) - _HARMLESS or schema["keys_schema"]["type"] != "str":
        raise Unknown(f"{where}: keys that are not plain strings")
    if not isinstance(value, Leaf) or value.checks:  # they would be lost
        raise Unknown(f"{where}: a dict of more than plain values")
    return Named(value)


_PLAIN_TOKENS = {
    "int": tokens.INTEGER,
    "float": tokens.FRACTION,
    "str": tokens.STRING,
    "bool": tokens.BOOLEAN,
}


def _union(schema: Mapping[str, Any], where: str) -> Leaf:
    """A union of plain scalars: Pydantic keeps each value as the type that it has."""
    _only(schema, where, "choices")
    found = []
    for choice in schema["choices"]:
        if not isinstance(choice, Mapping) or set(choice) - {"type", "metadata"}:
            raise Unknown(f"{where}: a union of more than plain types")
        if choice["type"] not in _PLAIN_TOKENS:
            raise Unknown(f"{where}: a union with {_named(choice)}")
        found.append(_PLAIN_TOKENS[choice["type"]])
    return Leaf(f"(?:{'|'.join(found)})", None, "union")


def _any(schema: Mapping[str, Any], where: str) -> Leaf:
    _only(schema, where)
    return Leaf(tokens.SCALAR, ANY_CELL, "any", nullable=True)


_MAKERS = {
    "any": _any,
    "bool": _bool,
    "date": _date,
    "datetime": _datetime,
    "decimal": _decimal,
    "dict": _dict,
    "enum": _enum,
    "float": _float,
    "function-before": _na_or,
    "int": _int,
    "list": _list,
    "literal": _literal_values,
    "model": _model,
    "nullable": _nullable,
    "str": _str,
    "union": _union,
    "uuid": _uuid,
}
