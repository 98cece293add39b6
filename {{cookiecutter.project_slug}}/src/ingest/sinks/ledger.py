"""The loads of a table, as its target notes them, and the rules that follow from them.

A sink keeps each `Entry` in the transaction that brings its rows, so that rows and watermark
become visible together.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from ingest.contract import Contract
from ingest.errors import ContractError, TargetError
from ingest.loading import LastLoad, Load, Mode, Ready

LOADS = "_blueprint_loads"  # the table that holds the entries, where a target has tables
KEPT = 1000  # how many of a table's loads are looked at: an older one cannot be replayed
_CONTRACT = "contract.py"


@dataclass(frozen=True)
class Entry:
    """One committed load of one table.

    watermark: the greatest up to then, as ISO text. key: the columns of the contract's KEY; None
    where it was not noted yet (version 0.1).
    """

    run_id: str
    mode: str
    source_url: str
    read: int
    rows: int
    watermark: str | None
    loaded_at: datetime
    replay_of: str | None = None
    positions: tuple[int, ...] = ()
    key: tuple[str, ...] | None = None

    @property
    def origin(self) -> str:
        """The run whose records these are: its own, or the one that it replays."""
        return self.replay_of or self.run_id

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Entry:
        """The entry that a target's table holds as columns, in the order of the fields."""
        *parts, positions, key = row
        key = None if key is None else tuple(key)
        return cls(*parts, positions=tuple(positions), key=key)

    def to_json(self) -> str:
        """The entry as one line of JSON, for a target that has no types for it."""
        return json.dumps(asdict(self) | {"loaded_at": self.loaded_at.isoformat()})

    @classmethod
    def from_json(cls, line: str) -> Entry:
        """What `to_json` wrote."""
        parts = json.loads(line)
        parts["loaded_at"] = datetime.fromisoformat(parts["loaded_at"])
        parts["positions"] = tuple(parts["positions"])
        parts["key"] = tuple(parts["key"]) if parts.get("key") is not None else None
        return cls(**parts)


class Ledger:
    """The loads of one table, the newest first; none where there is no such table."""

    def __init__(self, entries: Sequence[Entry] = ()) -> None:
        self.entries = tuple(entries[:KEPT])

    def last(self) -> LastLoad | None:
        if not self.entries:
            return None
        # A replay says nothing of the source; the watermark of each entry is that up to then.
        newest = next((one for one in self.entries if one.replay_of is None), self.entries[0])
        full = next((one for one in self.entries if one.mode == Mode.FULL), None)
        return replace(self._told(newest), full=self._told(full) if full else None)

    def _told(self, e: Entry) -> LastLoad:
        mark = self.entries[0].watermark
        return LastLoad(e.run_id, e.source_url, e.read, e.rows, mark, e.loaded_at, Mode(e.mode))

    def committed(self, run_id: str) -> bool:
        return any(entry.run_id == run_id for entry in self.entries)

    def replayed(self, run_id: str) -> frozenset[int]:
        replays = (entry for entry in self.entries if entry.replay_of == run_id)
        return frozenset(position for replay in replays for position in replay.positions)

    def has_other_key(self, contract: Contract) -> bool:
        """Whether the table was last loaded by another KEY than the contract's, or none knows."""
        now, before = contract.key, self.entries[0].key if self.entries else None
        if before is None:
            return bool(now)
        return {name.lower() for name in now} != {name.lower() for name in before}

    def next_entry(self, ready: Ready, contract: Contract, load: Load) -> Entry:
        """The entry of this load, if the table's earlier loads allow it.

        Raises ContractError where the mode needs a KEY, else TargetError.
        """
        if not contract.key and load.mode in (Mode.INCREMENTAL, Mode.BACKFILL):
            raise ContractError(
                f"The mode {load.mode} brings a part of the source, and without a KEY its rows "
                f"would replace the whole table {contract.table}. Set KEY in {_CONTRACT}, or "
                "choose the mode full."
            )
        if load.mode is Mode.REPLAY:
            self._check_replay(contract, load)
        elif not contract.key:
            self._check_source(contract.table, load)
        return Entry(
            load.run_id,
            load.mode.value,
            load.source_url,
            load.read,
            ready.count,
            self._watermark(load),
            self._now(),
            load.replay_of,
            tuple(sorted(load.positions)),
            contract.key,
        )

    def _watermark(self, load: Load) -> str | None:
        before = self.entries[0].watermark if self.entries else None
        # What lies between the last load and a later range was not read: an incremental run
        # that began behind the range would never bring it.
        part = load.mode in (Mode.BACKFILL, Mode.REPLAY)
        return before if part else greater(load.watermark, before)

    def _check_replay(self, contract: Contract, load: Load) -> None:
        run, table = load.replay_of or "", contract.table
        if not self.committed(run):
            raise TargetError(
                f"The run {run!r} cannot be replayed: it is not among the last {KEPT:,} loads of "
                f"the table {table}. Run the pipeline anew instead; that judges every record again."
            )
        if again := self.replayed(run) & set(load.positions):
            raise TargetError(
                f"{len(again):,} of the records of run {run} were replayed meanwhile, the first "
                f"at position {min(again)}; nothing was loaded. Start the replay again: it "
                "leaves out what is loaded."
            )
        newest = self.entries[0]
        if not contract.key and newest.origin != run:
            raise TargetError(
                f"The run {run} cannot be replayed: without a KEY, the run {newest.run_id} has "
                f"replaced the rows of {table} since, and its own source may hold these records. "
                f"Replay that run, or set KEY in {_CONTRACT}."
            )

    def _check_source(self, table: str, load: Load) -> None:
        # A replay reads what was refused, not the source.
        before = next((entry.source_url for entry in self.entries if not entry.replay_of), None)
        if before not in (None, load.source_url) and not load.accept_other_source:
            raise TargetError(
                f"The table {table} was loaded from {before}, and without a KEY all its rows would "
                f"give way to those of {load.source_url}; nothing was loaded. If that is meant, set "
                f"accept_other_source=true for one run; else choose another TABLE in {_CONTRACT}."
            )

    def _now(self) -> datetime:
        # A clock that was put back must not make a later load look older.
        now = datetime.now(UTC)
        newest = self.entries[0].loaded_at if self.entries else now
        return max(now, newest + timedelta(microseconds=1)) if self.entries else now


def greater(one: str | None, other: str | None) -> str | None:
    """The greater of two watermarks: as numbers or times where both are such, else as text."""
    if one is None or other is None:
        return one or other
    try:
        first, second = Decimal(one), Decimal(other)
        if first.is_nan() or second.is_nan():  # version 0.1 noted it: nothing is above it
            return other if first.is_nan() else one
        return one if first > second else other
    except InvalidOperation:
        pass
    try:
        return one if _moment(one) > _moment(other) else other
    except ValueError:
        return max(one, other)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
