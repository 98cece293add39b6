"""The cheaper proof that a record is what was read of it: DuckDB would write the same text.

A line that is, letter for letter, the JSON of the values that were read from it holds these
values and nothing else: no key twice, none more, no other spelling. So no pattern has to run
over it, and what the contract asks is asked of the values. Sources that write JSON without
spaces and in one order have such lines; all others keep the pattern of ingest.gate.shapes.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.duck import literal, quote
from ingest.gate.leaves import decimal_literal
from ingest.gate.nodes import Field, Fields, Leaf, Many, Named, Node, Unknown
from ingest.gate.shapes import Shape

# What has several spellings is read as the text that it is; a name in quotes is no type.
_TYPES = re.compile(r'"(?:[^"]|"")*"|\b(?:TIMESTAMPTZ|TIMESTAMP|DATE|UUID)\b')
# Of these characters none has a meaning between two members.
_PLAIN = re.compile(r"[\w .-]+")
_KINDS = {"int", "float", "str", "bool"}
_DOUBLE = 15  # digits of a JSON number that Python's float keeps


@dataclass(frozen=True)
class SameText:
    """How a line is read as `r`, and what of it proves that Pydantic would accept the line.

    structure: the columns to read. text: SQL for the JSON of `r` without the keys that some
    records lack. proof: a condition on `line`, `r` and that text, `j`. guarded: a line that is
    no JSON is looked for first, which costs a tenth; else it is an error.
    """

    structure: dict[str, str]
    text: str
    proof: str
    guarded: bool = False


def same_text(record: Fields, columns: dict[str, str], shape: Shape) -> SameText:
    """Raises Unknown where the contract holds more than plain values in objects and lists, and
    where the records that were seen are not written in one way."""
    order = shape.written()
    fields = {field.key: field for field in record.fields}
    unseen = [key for key in fields if key not in order]
    always = [key for key, in_each in order.items() if in_each]
    lacking = [key for key, in_each in order.items() if not in_each] + unseen
    if next(iter(order), None) not in always:
        raise Unknown("records that may lack their first key")
    names = itertools.count()
    within = set(itertools.chain(*(_keys(field.node) for field in record.fields)))
    holds = [
        *(_holds(fields[key].node, f"r.{quote(key)}", names) for key in always),
        *(_holds_or_lacks(fields[key], within, names) for key in lacking),
    ]
    return SameText(
        {key: _TYPES.sub(_read_as, columns[key]) for key in [*order, *unseen]},
        _text(always) if lacking else "to_json(r)::VARCHAR",
        f"{_same(lacking)} AND {' AND '.join(holds)}",
    )


def _read_as(found: re.Match[str]) -> str:
    return found[0] if found[0].startswith('"') else "VARCHAR"


def _text(keys: list[str]) -> str:
    packed = ", ".join(f"{quote(key)} := r.{quote(key)}" for key in keys)
    return f"to_json(struct_pack({packed}))::VARCHAR"


def _same(lacking: list[str]) -> str:
    """Whether the line is the text of `r`, where of these keys one that is null is not there."""
    if not lacking:
        return "line = j"
    rest = "to_json(r)::VARCHAR"
    for key in lacking:
        # Within a string a quote is escaped, so this is nowhere but between two members.
        member = f',"{key}":null'
        rest = f"replace({rest}, {literal(member)}, '')"
    none = " AND ".join(f"r.{quote(key)} IS NULL" for key in lacking)
    return f"CASE WHEN {none} THEN line = j ELSE line = {rest} END"


def _holds_or_lacks(field: Field, within: set[str], names: Iterator[int]) -> str:
    # A key of that name deeper down would be taken away with it.
    if not field.optional or field.key in within or not _PLAIN.fullmatch(field.key):
        raise Unknown(f"{field.key}: a key that some records lack")
    value = f"r.{quote(field.key)}"
    return f"({value} IS NULL OR ({_holds(field.node, value, names)}))"


def _holds(node: Node, value: str, names: Iterator[int]) -> str:
    """A condition that is true only of a value that Pydantic accepts; else false or null."""
    if isinstance(node, Leaf):
        found = _leaf(node, value)
    elif isinstance(node, Many):
        item = f"x{next(names)}"
        inner = _holds(node.item, item, names)
        found = [f"len(list_filter({value}, lambda {item}: {inner})) = len({value})"]
        found += [f"len({value}) > 0"] if node.filled else []
        found += [check(value) for check in node.checks]
    elif isinstance(node, Fields):
        found = [f"{value} IS NOT NULL"]
        for field in node.fields:
            found.append(_holds(field.node, f"{value}.{quote(field.key)}", names))
    else:
        raise Unknown("a dict of any keys")
    held = " AND ".join(found)
    return f"({value} IS NULL OR ({held}))" if node.nullable else held


def _leaf(node: Leaf, value: str) -> list[str]:
    if node.na or node.csv is None:
        raise Unknown(f"a value of the kind {node.kind}")
    conditions = [check(value) for check in (*node.checks, *node.typed)]
    if node.kind.startswith("decimal"):
        # As a JSON number it passes through Python's float.
        places = int(node.kind.split()[1])
        conditions.append(f"abs({value}) < {decimal_literal(10 ** (_DOUBLE - places), places)}")
    elif node.kind.startswith(("date", "uuid")):
        conditions.append(f"regexp_full_match({value}, {literal(node.csv)})")
    elif node.kind not in _KINDS:
        raise Unknown(f"a value of the kind {node.kind}")
    return conditions or [f"{value} IS NOT NULL"]


def _keys(node: Node) -> Iterator[str]:
    """The keys of all objects within a value."""
    if isinstance(node, Many):
        yield from _keys(node.item)
    elif isinstance(node, Fields):
        for field in node.fields:
            yield field.key
            yield from _keys(field.node)
    elif isinstance(node, Named):
        raise Unknown("a dict of any keys")
