"""Judge a source: its blocks through the fast lane, and Pydantic for what that leaves.

Each block becomes a Parquet file of accepted records, made by one thread of several: DuckDB
works outside Python's lock. What the lane is not sure of is judged by Pydantic itself, so the
lane decides how fast a verdict is, never which.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import duckdb

from ingest.arrays import array_blocks
from ingest.blocks import Block
from ingest.cells import CsvBlocks
from ingest.contract import Contract
from ingest.duck import connect
from ingest.elements import spooled_elements, unflattened
from ingest.errors import SourceError, TooManyRejected
from ingest.formats import Format, RawRecord
from ingest.gate.accepted import staged, write
from ingest.gate.lanes import CsvLane, JsonLane, Lane
from ingest.gate.parquet_lane import ParquetLane
from ingest.gate.pydantic_way import PydanticWay, Refusal
from ingest.gate.tally import Outcome, Tally, check_count, check_share
from ingest.opening import opened, skip
from ingest.quarantine import Quarantine
from ingest.readers import json_blocks
from ingest.room import in_room
from ingest.say import Say, silent
from ingest.schema import columns_of
from ingest.spooling import spooled_lines
from ingest.steps import Judged, SourceFile, Step

# Blocks are judged side by side, each in memory several times over: more of them than this
# would cost more than they bring.
WORKERS = min(4, os.cpu_count() or 1)
# Positions within a block are smaller than this.
_BLOCK = 2**32


def judge(
    source: SourceFile, contract: Contract, step: Step, work: Path, say: Say = silent
) -> Judged:
    """Judge every record of `source` and stage the accepted ones in the folder `work`.

    Memory holds a few blocks of `batch_size` records. `say` hears of progress after each.
    Raises TooManyRejected, with the quarantine kept, SourceError where the rest of the file
    cannot be read, ContractError where the contract itself fails, and SpaceError.
    """
    columns = columns_of(contract.record)
    parts = work / "accepted"
    parts.mkdir(parents=True, exist_ok=True)
    with (
        in_room(work, step.folder),
        connect(work / "gate.duckdb", work) as connection,
        Quarantine(step.folder, step.run_id, source) as quarantine,
    ):
        if source.format is not Format.PARQUET:
            connection.execute("SET threads = 1")  # each block has a thread of ours
        bench = _Bench(connection, contract, columns, parts, step)
        tally = Tally(source, quarantine)
        try:
            for outcome in bench.outcomes(source):
                tally.add(outcome)
                check_count(quarantine, step.limits)
                say(f"Judged {tally.total:,} records, {quarantine.count:,} refused", tally.done)
            check_share(quarantine, tally.total, step.limits)
        except TooManyRejected as error:
            error.judged = tally.judged(work, bench.closed)
            raise
        return tally.judged(staged(parts, columns, work), bench.closed)


class _CutAmiss(Exception):
    """A block of likely elements, one of which is no whole object; `index` is the block's."""

    def __init__(self, block: Block, index: int) -> None:
        super().__init__(block, index)
        self.block, self.index = block, index


class _Bench:
    """The workers of one source."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        contract: Contract,
        columns: dict[str, str],
        parts: Path,
        step: Step,
    ) -> None:
        self.closed: str | None = None
        self._connection = connection
        self._contract = contract
        self._columns = columns
        self._parts = parts
        self._step = step
        self._own = threading.local()
        self._spare: list[Path] = []  # files of blocks that were judged

    def outcomes(self, source: SourceFile) -> Iterator[Outcome]:
        """What each block brought, in the source's order."""
        if source.format is Format.PARQUET:
            yield from self._of_parquet(source)
            return
        with opened(source) as stream:
            if source.format is Format.CSV:
                cut = CsvBlocks(stream, source, self._step.batch_size)
                record = self._contract.record
                lane: Lane = CsvLane(record, self._columns, source, cut.header)
                yield from self._side_by_side(lane, cut)
            else:
                lane = JsonLane(self._contract.record, self._columns, self._connection)
                yield from self._of_json(lane, source, stream)
        self.closed = lane.closed
        for path in self._spare:
            path.unlink()

    def _of_json(self, lane: Lane, source: SourceFile, stream: BinaryIO) -> Iterator[Outcome]:
        size, folder = self._step.batch_size, self._parts.parent
        if lane.closed:
            found = json_blocks(stream, source, size)
        elif source.format is Format.NDJSON:
            found = spooled_lines(stream, size, folder, self._spare)
        else:
            found = spooled_elements(stream, source, size, folder, self._spare)
        try:
            yield from self._side_by_side(lane, found)
        except _CutAmiss as amiss:
            for part in self._parts.glob("*.parquet"):
                if int(part.name[:8]) >= amiss.index:
                    part.unlink()
            with opened(source) as again:
                skip(again, amiss.block.cut_at or 0)
                rest = array_blocks(again, source, size, amiss.block.first, amiss.block.depth)
                yield from self._side_by_side(lane, rest, amiss.index)

    def _side_by_side(
        self, lane: Lane, found: Iterable[Block], begin: int = 0
    ) -> Iterator[Outcome]:
        waiting: deque[Future[Outcome]] = deque()
        with ThreadPoolExecutor(WORKERS) as pool:
            try:
                for index, block in enumerate(found, begin):
                    if index == 0:
                        lane.begin(block)
                    waiting.append(pool.submit(self._judged, lane, block, index))
                    if len(waiting) > WORKERS:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            except SourceError:
                # What comes before may have been cut amiss, and this error come of that.
                while waiting:
                    yield waiting.popleft().result()
                raise
            finally:
                pool.shutdown(cancel_futures=True)

    def _judged(self, lane: Lane, block: Block, index: int) -> Outcome:
        if not hasattr(self._own, "cursor"):
            self._own.cursor = self._connection.cursor()
            self._own.cursor.execute("SET TimeZone = 'UTC'")
            self._own.pydantic = PydanticWay(self._contract.record, self._columns)
        base = index * _BLOCK
        part = self._parts / f"{index:08}.parquet"
        try:
            read, rest = lane.split(self._own.cursor, block, base, part)
        finally:
            if block.file:
                self._spare.append(block.file.path)
        if block.cut_at is not None:
            if any(raw.fault for raw in rest):
                raise _CutAmiss(block, index)
            rest = [replace(raw, line=unflattened(raw.line or b"")) for raw in rest]
        refused = self._ask(rest, base - (block.first or 1), part)
        accepted = len(rest) - len(refused)
        if accepted > read / 20:
            asked = {id(refusal.raw) for refusal in refused}
            lane.learn([(raw.line or b"").decode() for raw in rest if id(raw) not in asked])
        return Outcome(block.first, read, len(rest), refused, block.size)

    def _ask(self, records: list[RawRecord], offset: int, part: Path) -> list[Refusal]:
        """Let Pydantic judge; what it accepts lies then beside `part`."""
        if not records:
            return []
        verdicts = self._own.pydantic.judge(records)
        if verdicts.dumps:
            positions = [offset + position for position in verdicts.positions]
            lines = b"\n".join(verdicts.dumps).decode()
            part = part.with_name(f"{part.stem}-asked.parquet")
            write(self._own.cursor, self._columns, positions, lines, part)
        return verdicts.refused

    def _of_parquet(self, source: SourceFile) -> Iterator[Outcome]:
        lane = ParquetLane(self._connection, self._contract.record, self._columns, source)
        self._own.cursor = self._connection.cursor()
        self._own.cursor.execute("SET TimeZone = 'UTC'")
        self._own.pydantic = PydanticWay(self._contract.record, self._columns)
        asked, part = 0, self._parts / "00000000.parquet"
        for index, rest in enumerate(lane.split(part, self._step.batch_size), 1):
            asked += len(rest)
            refused = self._ask(rest, -1, part.with_name(f"{index:08}.parquet"))
            yield Outcome(1, 0, len(rest), refused)
        self.closed = lane.closed
        yield Outcome(1, lane.count(), 0, [])
