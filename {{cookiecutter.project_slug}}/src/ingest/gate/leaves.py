"""The leaves: values without parts, and of which texts the gate is sure that they are such."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from ingest.duck import literal
from ingest.gate import tokens
from ingest.gate.nodes import ANY_CELL, Check, Leaf, Unknown, named, only


def _bounds(schema: Mapping[str, Any], where: str, *also: str) -> dict[str, Any]:
    only(schema, where, "ge", "gt", "le", "lt", *also)
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
        lambda bound: _decimal_literal(bound, places),
    )
    most = _decimal_literal(10 ** min(whole, 27), places)
    typed: tuple[Check, ...] = (lambda value: f"abs({value}) < {most}",)
    if not signed:
        typed += (_check(">= 0"),)
    # As a JSON number it passes through a double, which keeps 15 digits; a text keeps all.
    number = tokens.decimal(min(whole, 15 - places), places, signed=signed)
    text = tokens.decimal(min(whole, 27), places, signed=signed)
    return Leaf(f'(?:{number}|"{text}")', text, f"decimal {places}", checks, typed)


def _decimal_literal(number: Decimal | int, places: int) -> str:
    """A number for SQL, as a DECIMAL no wider than it is: a wide one is slow to compare with."""
    text = f"{Decimal(number):f}"
    width = len(text.lstrip("-").partition(".")[0]) + places
    return f"{text}::DECIMAL({width}, {places})"


def _str(schema: Mapping[str, Any], where: str) -> Leaf:
    only(schema, where, "pattern", "min_length", "max_length")
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
    only(schema, where)
    return Leaf(tokens.BOOLEAN, tokens.BOOLEAN, "bool")


def _date(schema: Mapping[str, Any], where: str) -> Leaf:
    only(schema, where)
    return Leaf(f'"{tokens.DATE}"', tokens.DATE, "date")


def _datetime(schema: Mapping[str, Any], where: str) -> Leaf:
    only(schema, where, "tz_constraint")
    constraint = schema.get("tz_constraint")
    either = f"(?:{tokens.AWARE}|{tokens.NAIVE})"
    choices = {"aware": tokens.AWARE, "naive": tokens.NAIVE, None: either}
    if constraint not in choices:
        raise Unknown(f"{where}: a fixed offset")
    pattern = choices[constraint]
    return Leaf(f'"{pattern}"', pattern, f"datetime {constraint or 'any'}")


def _uuid(schema: Mapping[str, Any], where: str) -> Leaf:
    only(schema, where)
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
    only(schema, where, "expected")
    return _choice(schema, where, list(schema["expected"]))


def _enum(schema: Mapping[str, Any], where: str) -> Leaf:
    only(schema, where, "members")
    return _choice(schema, where, [member.value for member in schema["members"]])


_PLAIN_TOKENS = {
    "int": tokens.INTEGER,
    "float": tokens.FRACTION,
    "str": tokens.STRING,
    "bool": tokens.BOOLEAN,
}


def _union(schema: Mapping[str, Any], where: str) -> Leaf:
    """A union of plain scalars: Pydantic keeps each value as the type that it has."""
    only(schema, where, "choices")
    found = []
    for choice in schema["choices"]:
        if not isinstance(choice, Mapping) or set(choice) - {"type", "metadata"}:
            raise Unknown(f"{where}: a union of more than plain types")
        if choice["type"] not in _PLAIN_TOKENS:
            raise Unknown(f"{where}: a union with {named(choice)}")
        found.append(_PLAIN_TOKENS[choice["type"]])
    return Leaf(f"(?:{'|'.join(found)})", None, "union")


def _any(schema: Mapping[str, Any], where: str) -> Leaf:
    only(schema, where)
    return Leaf(tokens.SCALAR, ANY_CELL, "any", nullable=True)


Maker = Callable[[Mapping[str, Any], str], Leaf]
# By the type in Pydantic's core schema.
LEAVES: dict[str, Maker] = {
    "any": _any,
    "bool": _bool,
    "date": _date,
    "datetime": _datetime,
    "decimal": _decimal,
    "enum": _enum,
    "float": _float,
    "int": _int,
    "literal": _literal_values,
    "str": _str,
    "union": _union,
    "uuid": _uuid,
}
