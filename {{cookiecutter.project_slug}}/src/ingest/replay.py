"""Judge a run's refused records again, by the contract as it is now, and load what passes.

What a run refused lies in its quarantine file; which of it has been loaded since, and whether
the run itself was, only the target's ledger says. So the file is rewritten after the commit: a
replay that is killed leaves entries behind that the next one finds loaded.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ingest.contract import Contract
from ingest.duck import connect
from ingest.errors import ContractError
from ingest.formats import Format
from ingest.gate import judge
from ingest.loading import Load, Loaded, Mode, Ready
from ingest.quarantine import FAILED
from ingest.refused_files import KEPT, entries, line_of, replaced, run_of
from ingest.say import Say, silent
from ingest.schema import columns_of
from ingest.sinks.base import Sink
from ingest.staging import Transform, stage
from ingest.steps import Judged, Limits, SourceFile, Step

_AT_ONCE = 50_000
_KEPT_REASON = (
    "accepted in a replay; if the table had a row with this key, that row was kept, since "
    "without a watermark nothing says which is newer"
)


@dataclass(frozen=True)
class Replayed:
    """What became of one quarantine file.

    records: its entries that no replay had loaded before. accepted: of them, now. refused:
    those that stay in it; hopeless: of these, such as no contract can accept. loaded: None
    where nothing was to be loaded. left: why the file was not looked into. kept: the file with
    what was accepted and may not have been written.
    """

    file: Path
    run_id: str
    records: int = 0
    accepted: int = 0
    hopeless: int = 0
    loaded: Loaded | None = None
    left: str | None = None
    kept: Path | None = None

    @property
    def refused(self) -> int:
        return self.records - self.accepted


@dataclass
class _Again:
    """The entries of one file: which are loaded, accepted now, refused now (and why)."""

    run_id: str
    done: frozenset[int]
    source: str = ""
    tried: list[int] = field(default_factory=list)
    accepted: set[int] = field(default_factory=set)
    refused: dict[int, tuple[str | None, str]] = field(default_factory=dict)
    records: int = 0


def replay(
    path: Path,
    sink: Sink,
    contract: Contract,
    transform: Transform,
    work: Path,
    say: Say = silent,
    *,
    dry_run: bool = False,
) -> Replayed:
    """Replay one quarantine file into the sink; with `dry_run` only say what would be accepted.

    A record that is loaded leaves the file, one that is still refused stays with its new
    reason. A row of the table is replaced only by one that is newer by the contract's
    watermark. `work` is an empty folder. Raises PipelineError; the file is then as it was.
    """
    _check_key(contract)
    if left := _left(path, sink, contract):
        return Replayed(path, run_of(path), left=left)
    run_id = run_of(path)
    again = _Again(run_id, sink.replayed(contract.table, run_id))
    judged = _judge(path, again, contract, work, say)
    loaded, unsure = None, frozenset[int]()
    if contract.key and contract.watermark is None:
        unsure = again.done  # of a replay that was killed, nobody knows
    if again.accepted:
        ready = stage(judged, contract, transform, work)
        if not dry_run:
            told = _told(again, contract, ready)
            loaded = sink.load(ready, contract, told, say)
            if contract.key and told.newer_by is None and loaded.unchanged:
                unsure |= again.accepted
    kept = None if dry_run else _rewrite(path, again, unsure)
    hopeless = again.records - len(again.tried)
    accepted = len(again.accepted)
    return Replayed(path, run_id, again.records, accepted, hopeless, loaded, None, kept)


def _check_key(contract: Contract) -> None:
    """A key that the transform makes is one of several records, of which a replay has a few."""
    staged = {name.lower() for name in columns_of(contract.record)}
    if made := [name for name in contract.key if name.lower() not in staged]:
        raise ContractError(
            f"Refused records cannot be replayed into the table {contract.table}: its KEY "
            f"{made[0]!r} is made by transform.py, out of records that a replay "
            "does not have. Run the pipeline anew instead: it judges every record again."
        )


def _left(path: Path, sink: Sink, contract: Contract) -> str | None:
    """Why a file is not to be replayed, or None."""
    run_id, table = run_of(path), contract.table
    if path.name.endswith(FAILED):
        return "the run refused too many and loaded nothing; run the pipeline anew"
    if not sink.committed(table, run_id):
        return f"the run is none of the last loads of {table} in {sink.shown}"
    last = sink.last_load(table)
    if not contract.key and last and last.run_id != run_id:
        return f"without a KEY, the run {last.run_id} has replaced the rows of {table} since"
    return None


def _judge(path: Path, again: _Again, contract: Contract, work: Path, say: Say) -> Judged:
    """Judge what can be judged again, in the order of the source."""
    places: dict[int, int] = {}
    positions = set()
    for begin, _, entry in entries(path):
        if (position := entry["position"]) in again.done:
            continue
        positions.add(position)
        again.source = str(entry.get("source", ""))
        if entry.get("replayable"):
            places[position] = begin
    again.records, again.tried = len(positions), sorted(places)
    records = work / "again.ndjson"
    with path.open("rb") as file, records.open("wb") as out:
        for position in again.tried:
            file.seek(places[position])
            out.write(_as_line(json.loads(file.readline())["raw"]))
    source = SourceFile(records, Format.NDJSON, again.source, records.stat().st_size)
    step = Step(_AT_ONCE, Limits(1.0), work / "refused", again.run_id)
    judged = judge(source, contract, step, work, say)
    if judged.quarantine:
        for _, _, entry in entries(judged.quarantine):
            # Its position is the line in what was written here.
            position = again.tried[entry["position"] - 1]
            again.refused[position] = (entry["field"], entry["reason"])
    again.accepted = set(again.tried) - set(again.refused)
    return judged


def _as_line(raw: str) -> bytes:
    # No line break stands within a record, unless somebody has edited it.
    return raw.replace("\n", " ").encode("utf-8", "backslashreplace") + b"\n"


def _told(again: _Again, contract: Contract, ready: Ready) -> Load:
    """What the load is told. Without a watermark: a replay never moves that of the table."""
    return Load(
        run_id=f"replay-{uuid.uuid4()}",
        source_url=again.source,
        read=len(again.tried),
        mode=Mode.REPLAY,
        replay_of=again.run_id,
        positions=tuple(sorted(again.accepted)),
        newer_by=_newer_by(contract, ready),
    )


def _newer_by(contract: Contract, ready: Ready) -> str | None:
    """The watermark's column, as the rows spell it, if the transform has kept it."""
    if contract.watermark is None:
        return None
    with connect(ready.staging, ready.staging.parent) as connection:
        names = [str(row[0]) for row in connection.execute("DESCRIBE rows").fetchall()]
    wanted = contract.watermark.lower()
    return next((name for name in names if name.lower() == wanted), None)


def _rewrite(path: Path, again: _Again, unsure: frozenset[int]) -> Path | None:
    """Leave in the file what is still refused; gives the file of what may not be written.

    That one is made first, so that nothing is in neither; what stands in both is taken out
    of this one by the next replay.
    """
    loaded = again.done | again.accepted
    kept = path.with_name(path.name.removesuffix(".ndjson") + KEPT)
    if unsure:
        replaced(kept, _with_kept(path, kept, unsure))
    replaced(path, _still_refused(path, again, loaded))
    return kept if kept.exists() else None


def _still_refused(path: Path, again: _Again, loaded: Iterable[int]) -> Iterator[bytes]:
    for _, line, entry in entries(path):
        if (position := entry["position"]) in again.refused:
            faulty, reason = again.refused[position]
            yield line_of(entry | {"field": faulty, "reason": reason})
        elif position not in loaded:
            yield line


def _with_kept(path: Path, kept: Path, unsure: Iterable[int]) -> Iterator[bytes]:
    there = set()
    for _, line, entry in entries(kept) if kept.exists() else ():
        there.add(entry["position"])
        yield line
    for _, _, entry in entries(path):
        if entry["position"] in unsure and entry["position"] not in there:
            yield line_of(entry | {"field": None, "reason": _KEPT_REASON})
