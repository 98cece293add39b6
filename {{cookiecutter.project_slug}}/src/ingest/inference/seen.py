"""What was seen at each place of a source's records. Its size depends on their shape alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

from ingest.inference.texts import Texts

# Deeper objects and lists are not looked into: their column holds them as JSON.
MOST_DEPTH = 8
# An object with more keys is taken for a map.
_MOST_KEYS = 1000


class Seen:
    """The values at one place, by their types."""

    def __init__(self, cells: bool, depth: int = 0) -> None:
        self.count = 0
        self.nulls = 0
        self.kinds: set[type] = set()
        self.low = self.high = 0  # of the integers
        self.texts = Texts(cells)
        self.deep = False
        self._cells = cells
        self._depth = depth
        self._items: Seen | None = None
        self._members: Members | None = None

    @property
    def items(self) -> Seen:
        """What was seen in the lists."""
        if self._items is None:
            self._items = Seen(self._cells, self._depth + 1)
        return self._items

    @property
    def members(self) -> Members:
        """What was seen in the objects."""
        if self._members is None:
            self._members = Members(self._cells, self._depth + 1)
        return self._members

    def add(self, values: list[Any]) -> None:
        """Look at some more values."""
        self.count += len(values)
        kinds = set(map(type, values))
        for kind in kinds:
            same = values if len(kinds) == 1 else [one for one in values if type(one) is kind]
            self._add(kind, same)

    def _add(self, kind: type, values: list[Any]) -> None:
        if kind is type(None):
            self.nulls += len(values)
            return
        self.kinds.add(kind)
        if kind is str:
            self.texts.add(values)
        elif kind is int:
            self.low, self.high = min(self.low, min(values)), max(self.high, max(values))
        elif kind in (list, dict) and self._depth >= MOST_DEPTH:
            self.deep = True
        elif kind is list:
            self.items.add(list(chain.from_iterable(values)))
        elif kind is dict:
            self.members.add(values)

    def merge(self, other: Seen) -> None:
        """Add what another one has seen."""
        self.count += other.count
        self.nulls += other.nulls
        self.kinds |= other.kinds
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self.texts.merge(other.texts)
        self.deep |= other.deep
        if other._items:
            self.items.merge(other._items)
        if other._members:
            self.members.merge(other._members)


class Members:
    """The objects at one place: what was seen under each key.

    count: how many objects. fields: by key, in order of first sight; empty once the keys are
    too many, and `any` holds them all.
    """

    def __init__(self, cells: bool, depth: int, most: int = _MOST_KEYS) -> None:
        self.count = 0
        self.fields: dict[str, Seen] = {}
        self.any: Seen | None = None
        self._cells = cells
        self._depth = depth
        self._most = most

    def add(self, objects: Iterable[Mapping[str, Any]]) -> None:
        """Look at some more objects."""
        found: defaultdict[str, list[Any]] = defaultdict(list)
        for one in objects:
            self.count += 1
            for key, value in one.items():
                found[key].append(value)
        if self.any:
            self.any.add(list(chain.from_iterable(found.values())))
            return
        for key, values in found.items():
            self._field(key).add(values)
        self._bound()

    def merge(self, other: Members) -> None:
        """Add what another one has seen."""
        self.count += other.count
        if self.any or other.any:
            self.any = self.together()
            self.fields = {}
            self.any.merge(other.together())
            return
        for key, seen in other.fields.items():
            self._field(key).merge(seen)
        self._bound()

    def together(self) -> Seen:
        """What was seen under all keys, as one."""
        if self.any:
            return self.any
        whole = Seen(self._cells, self._depth)
        for seen in self.fields.values():
            whole.merge(seen)
        return whole

    def _field(self, key: str) -> Seen:
        if key not in self.fields:
            self.fields[key] = Seen(self._cells, self._depth)
        return self.fields[key]

    def _bound(self) -> None:
        if len(self.fields) > self._most:
            self.any, self.fields = self.together(), {}
