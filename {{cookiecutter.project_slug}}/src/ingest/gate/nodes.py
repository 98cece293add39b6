"""What the gate knows of a contract, as a tree of nodes, and what it says of the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# A cell of any text; an empty one is left out.
ANY_CELL = "(?s:.)+"
# What does not change a verdict, whatever it says.
HARMLESS = {
    "type",
    "metadata",
    "ref",
    "microseconds_precision",
    "sub_type",
    "cls",
    "generic_origin",
}


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


def named(schema: Mapping[str, Any]) -> str:
    kind = schema["type"]
    if kind.startswith("function"):
        return "a validator of its own"
    return {"definition-ref": "a model that holds itself"}.get(kind, f"the type {kind}")


def only(schema: Mapping[str, Any], where: str, *known: str) -> None:
    """Raise Unknown for a setting that is not among those known to be understood."""
    for name in schema.keys() - HARMLESS - set(known):
        raise Unknown(f"{where}: the setting {name} of {named(schema)}")
