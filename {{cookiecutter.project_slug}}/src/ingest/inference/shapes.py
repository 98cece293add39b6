"""From what was seen to the type of each place, as a tree of shapes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ingest.inference.seen import Members, Seen
from ingest.inference.texts import MOST_BIGINT, MOST_DIGITS

# A double holds every integer up to here.
_EXACT = 2**53
# From so many keys on an object whose values are alike is a map.
_MANY_KEYS = 100
# From so many on it is one whatever its values are: nobody has named so many fields.
_MOST_NAMED = 400
# Keys that are data rather than names: numbers, dates, hashes, UUIDs, addresses, `user-17`.
_DATA_KEY = re.compile(
    r"[0-9][0-9.:T+_/ -]*Z?|[0-9a-fA-F]{16,}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
    r"|.*@.*|[A-Za-z]+[-_:#][0-9]{2,}"
)


@dataclass(frozen=True)
class Plain:
    """A type by its name; with `na` the cell NA is null."""

    name: str
    na: bool = False


@dataclass(frozen=True)
class Choice:
    """One of these strings."""

    values: tuple[str, ...]


@dataclass(frozen=True)
class Many:
    """A list."""

    item: Shape


@dataclass(frozen=True)
class Mapped:
    """A dict whose keys are data."""

    value: Shape


@dataclass(frozen=True)
class Maybe:
    """What may be null, in a list or a map."""

    shape: Shape


@dataclass(frozen=True)
class Either:
    """One of several shapes."""

    shapes: tuple[Shape, ...]


@dataclass(frozen=True)
class Part:
    """A field of an object: optional where it may be null or missing."""

    name: str
    shape: Shape
    optional: bool


@dataclass(frozen=True)
class Parts:
    """An object with these fields."""

    parts: tuple[Part, ...]


Shape = Plain | Choice | Many | Mapped | Maybe | Either | Parts
ANY = Plain("Any")
TEXT = Plain("str")
BIG = Plain("Decimal0")


def parts_of(members: Members) -> Parts:
    """The fields of objects."""
    return Parts(
        tuple(
            Part(name, shape, seen.nulls > 0 or seen.count < members.count or _na(shape))
            for name, seen in members.fields.items()
            for shape in (shape_of(seen),)
        )
    )


def _na(shape: Shape) -> bool:
    return shape == ANY or (isinstance(shape, Plain) and shape.na)


def shape_of(seen: Seen) -> Shape:
    """The shape that all values at one place have."""
    kinds = set(seen.kinds)
    if seen.deep or kinds - {bool, int, float, str, list, dict}:
        return ANY
    if kinds == {str}:
        return _of_texts(seen)
    choices: list[Shape] = list(_numbers(seen))
    if ANY in choices:
        return ANY
    if bool in kinds:
        choices.append(Plain("bool"))
    if str in kinds:
        choices.append(TEXT)
    # Beside another type the column is JSON, where what they hold shall stay as it came: a model
    # would rename its keys and add those that are missing.
    alone = len(kinds) == 1
    if list in kinds:
        choices.append(Many(_maybe(seen.items) if alone else ANY))
    if dict in kinds:
        choices.append(_of_objects(seen.members) if alone else Mapped(ANY))
    if not choices:
        return ANY  # nothing but null
    return choices[0] if len(choices) == 1 else Either(tuple(choices))


def _of_texts(seen: Seen) -> Shape:
    hint = seen.texts.hint()
    if hint:
        return Plain(hint, seen.texts.na)
    choice = seen.texts.choice()
    return Choice(choice) if choice else TEXT


def _numbers(seen: Seen) -> tuple[Shape, ...]:
    """Types for the numbers of JSON, which tell integers from others."""
    most = max(-seen.low - 1, seen.high)
    if float in seen.kinds and int in seen.kinds:
        # A double would round large integers, and beside a third type the column is JSON, where
        # 1 shall stay 1; a union keeps each number as it is.
        exact = max(-seen.low, seen.high) <= _EXACT and seen.kinds == {int, float}
        return (Plain("float"),) if exact else (Plain("int"), Plain("float"))
    if float in seen.kinds:
        return (Plain("float"),)
    if int not in seen.kinds:
        return ()
    if most <= MOST_BIGINT:
        return (Plain("int"),)
    # Alone it has a column of its own; beside another type it is JSON, which takes any integer.
    if seen.kinds == {int}:
        return (BIG,) if most < 10**MOST_DIGITS - 1 else (ANY,)
    return (Plain("int"),)


def _maybe(seen: Seen) -> Shape:
    shape = shape_of(seen)
    return Maybe(shape) if seen.nulls and shape != ANY else shape


def _of_objects(members: Members) -> Shape:
    if members.any:
        return Mapped(_maybe(members.any))
    if not members.fields:
        return Mapped(ANY)
    if _is_map(members):
        return Mapped(_maybe(members.together()))
    return parts_of(members)


def _is_map(members: Members) -> bool:
    """Whether the keys are data: they look so, or they are many and seldom the same."""
    names, alike = members.fields, _alike(members.together())
    if alike and all(_DATA_KEY.fullmatch(name) for name in names):
        return True
    seldom = all(10 * seen.count < members.count for seen in names.values())
    if alike:
        return len(names) > _MANY_KEYS or (len(names) >= 20 and seldom)
    return len(names) > _MOST_NAMED or (len(names) > _MANY_KEYS and seldom)


def _alike(seen: Seen) -> bool:
    return len({int if kind is float else kind for kind in seen.kinds}) <= 1
