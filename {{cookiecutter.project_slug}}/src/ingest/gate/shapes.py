"""In which order a source writes its keys, learned from records, and the pattern of a line.

A pattern that knows each key's place needs no backtracking, and no key can come twice in what
it matches. A record that is written otherwise is no worse for it: Pydantic judges it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from ingest.gate import tokens
from ingest.gate.nodes import Field, Fields, Leaf, Many, Named, Node

_MOST_ORDERS = 3  # of one object
_MOST_IGNORED = 300  # keys that the contract does not name
_DEPTH = 3  # of values that nobody reads
# From some 150 bytes on, an expression takes twice as long for each: what RE2 keeps of the states
# that it passes through no longer fits into the processor's nearest cache (32 kB).
_PIECE = 120  # bytes of a line that one expression shall match
_MOST_PIECES = 6
_NEARLY_ALL = 0.95
_MEASURED = 100  # lines of a lesson that are looked at for where their keys stand
_CUT = "\0"  # no pattern holds it


class Line(NamedTuple):
    """A line is what these patterns match, one after the other, with these texts between them."""

    patterns: list[str]
    between: list[str]


class _Pairs(list[tuple[str, Any]]):
    """An object as json.loads found it, its keys in order and as often as they came."""


class Shape:
    """What is known of the objects at one place of the contract."""

    def __init__(self, fields: Fields) -> None:
        self._fields = {field.key: field for field in fields.fields}
        self._closed = fields.closed
        self._orders: list[list[str]] = []
        self._seen: Counter[str] = Counter()
        self._ignored: dict[str, int] = {}  # the depth of its values
        self._within = {
            field.key: Shape(inner) for field in fields.fields if (inner := _object_in(field.node))
        }
        self._lines: list[str] = []

    def learn(self, lines: list[str]) -> None:
        """Look at how these records are written; what is no record teaches nothing."""
        self._lines += lines[:_MEASURED]
        for line in lines:
            try:
                value = json.loads(line, object_pairs_hook=_Pairs)
                if isinstance(value, _Pairs):
                    self._learn(value)
            except (ValueError, RecursionError):
                continue

    def line(self) -> Line | None:
        """What a line of one such object looks like, or None where nothing is known of it."""
        cuts = self._cuts() if len(self._orders) == 1 else []
        if not (pattern := self._pattern(cuts)):
            return None
        patterns = f"{tokens.SPACE}{pattern}{tokens.SPACE}".split(_CUT)
        return Line(patterns, [_written(key) for key in cuts])

    def _pattern(self, cuts: Collection[str] = ()) -> str | None:
        """What a whole object looks like, with _CUT in the place of these keys."""
        found = [self._of(order, cuts) for order in self._orders]
        known = [text for text in found if text]
        if len(known) > 1:
            return f"(?:{'|'.join(known)})"
        return known[0] if known else None

    def _cuts(self) -> list[str]:
        """The keys at which a line falls into pieces of about _PIECE bytes.

        Each is one that nearly every line has just once; with another, no line is lost: a line
        that does not fall into its pieces is judged by Pydantic.
        """
        places: dict[str, float] = {}
        for key in self._orders[0][1:]:
            if self._may_miss(key):
                continue
            text = _written(key)
            found = [line.index(text) for line in self._lines if line.count(text) == 1]
            if len(found) > _NEARLY_ALL * len(self._lines):
                places[key] = sum(found) / len(found)
        size = sum(map(len, self._lines)) / len(self._lines)
        pieces = min(round(size / _PIECE), _MOST_PIECES) if places else 1
        cuts = {
            min(places, key=lambda key: abs(places[key] - size * piece / pieces))
            for piece in range(1, pieces)
        }
        return sorted(cuts, key=places.__getitem__)

    def _learn(self, pairs: _Pairs) -> None:
        keys = [key for key, _ in pairs]
        others = [key for key in keys if key not in self._fields]
        if len(set(keys)) < len(keys) or (others and self._closed):
            return
        if len(self._ignored.keys() | set(others)) > _MOST_IGNORED:
            return
        for key, value in pairs:
            if key in self._within:
                for item in _objects(value):
                    self._within[key]._learn(item)
            elif key not in self._fields:
                self._ignored[key] = max(self._ignored.get(key, 0), _depth(value))
        self._seen.update(keys)
        fits = any(_merged(order, keys) for order in self._orders)
        if not fits and len(self._orders) < _MOST_ORDERS:
            self._orders.append(keys)

    def _of(self, order: list[str], cuts: Collection[str]) -> str | None:
        """The pattern of an object whose keys come in this order."""
        here = set(order)
        if any(not field.optional and key not in here for key, field in self._fields.items()):
            return None
        texts = {key: self._pair(key, key in cuts) for key in order}
        written = [key for key in order if texts[key]]
        if any(key not in written and not self._may_miss(key) for key in order):
            return None
        if not written:
            return None
        # Commas are told apart from this key on, so it has to be there.
        needed = [key for key in written if not self._may_miss(key)]
        anchor = needed[0] if needed else max(written, key=lambda key: self._seen[key])
        place = written.index(anchor)
        gap = f"{tokens.SPACE},{tokens.SPACE}"
        before = "".join(f"(?:{texts[key]}{gap})?" for key in written[:place])
        after = "".join(
            f"(?:{gap}{texts[key]})?" if self._may_miss(key) else f"{gap}{texts[key]}"
            for key in written[place + 1 :]
        )
        inside = f"{before}{texts[anchor]}{after}"
        return f"{tokens.LEFT}{tokens.SPACE}{inside}{tokens.SPACE}{tokens.RIGHT}"

    def _may_miss(self, key: str) -> bool:
        return key not in self._fields or self._fields[key].optional

    def _pair(self, key: str, is_cut: bool) -> str | None:
        if key in self._fields:
            value = _value(self._fields[key], self._within.get(key))
        else:
            value = tokens.any_value(self._ignored[key])
        if value is None:
            return None
        name = _CUT if is_cut else tokens.escape(_written(key))
        return f"{name}{tokens.SPACE}:{tokens.SPACE}{value}"


def _written(key: str) -> str:
    return json.dumps(key, ensure_ascii=False)


def _value(field: Field, within: Shape | None) -> str | None:
    return _of_node(field.node, within)


def _of_node(node: Node, within: Shape | None) -> str | None:
    """The pattern of a value, or None where nothing of it can match but what is absent."""
    if isinstance(node, Leaf):
        found: str | None = node.json
    elif isinstance(node, Named):
        pair = f"{tokens.STRING}{tokens.SPACE}:{tokens.SPACE}{_of_node(node.value, None)}"
        found = tokens.mapping(pair)
    elif isinstance(node, Many):
        item = _of_node(node.item, within)
        empty = None if node.filled else rf"\[{tokens.SPACE}\]"
        found = tokens.array(item, filled=node.filled) if item else empty
    else:
        found = within._pattern() if within else None
    if not node.nullable:
        return found
    return f"(?:{found}|null)" if found else "null"


def _object_in(node: Node) -> Fields | None:
    """The object that a value is, or is a list of, if it is one."""
    while isinstance(node, Many):
        node = node.item
    return node if isinstance(node, Fields) else None


def _objects(value: Any) -> Iterable[_Pairs]:
    if isinstance(value, _Pairs):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _objects(item)


def _merged(order: list[str], keys: list[str]) -> bool:
    """Put keys into an order that does not contradict them; False where it does."""
    places = [order.index(key) for key in keys if key in order]
    if places != sorted(places):
        return False
    place = 0
    for key in keys:
        if key in order:
            place = order.index(key) + 1
        else:
            order.insert(place, key)
            place += 1
    return True


def _depth(value: Any, most: int = _DEPTH) -> int:
    """How deep a value that nobody reads is, as far as it matters: it may be nested very deeply."""
    if most == 0 or not isinstance(value, list):
        return 0
    inner = (item for _, item in value) if isinstance(value, _Pairs) else value
    return 1 + max((_depth(item, most - 1) for item in inner), default=0)
