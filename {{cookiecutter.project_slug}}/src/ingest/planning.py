"""Before and after a source is read: which part of it a run takes, and whether it is whole."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum

from ingest.contract import Contract
from ingest.errors import ContractError, SourceError
from ingest.loading import LastLoad, Mode, Ready
from ingest.schema import columns_of
from ingest.steps import Window


class WhenShrunk(StrEnum):
    """What a run does about a source that is empty, or much smaller than the last time."""

    FAIL = "fail"
    WARN = "warn"
    ACCEPT = "accept"


@dataclass(frozen=True)
class Guard:
    """How much smaller than at the last load a source may be, as a share, and what then."""

    share: float
    then: WhenShrunk


def window_of(
    contract: Contract,
    mode: Mode,
    last: LastLoad | None,
    since: datetime | None,
    until: datetime | None,
) -> Window:
    """Which records the run takes; for an incremental one, from `last` on less the overlap.

    Raises ContractError where the contract has no key or no watermark for the mode, or where
    `since` and `until` are not what the mode needs.
    """
    since, until = _aware(since), _aware(until)
    if mode is Mode.FULL:
        if since or until:
            raise ContractError(
                "since and until are for a backfill: give the run mode=backfill with them."
            )
        return Window()
    if not contract.key:
        raise ContractError(
            f"A run with mode={mode} adds to a table, and without a KEY nothing says which rows it "
            "has already. Name one in contract.py, or run with mode=full."
        )
    _check_watermark(contract, mode)
    if mode is Mode.BACKFILL:
        if not since or not until or since >= until:
            raise ContractError(
                f"A backfill needs since and until, the first before the second; they are {since} "
                f"and {until}."
            )
        return Window(since.isoformat(), until.isoformat())
    if since or until:
        raise ContractError(
            "An incremental run begins where the last one ended: leave since and until out, or "
            "give mode=backfill with them."
        )
    return Window(_less_overlap(contract, last.watermark)) if last and last.watermark else Window()


def _check_watermark(contract: Contract, mode: Mode) -> None:
    """Raises ContractError for a field that says of no record whether it is newer."""
    name = contract.watermark
    if not name:
        raise ContractError(
            f"A run with mode={mode} needs a field by which records are newer or older. Name it in "
            "contract.py: Contract(..., watermark='updated_at')."
        )
    kinds = columns_of(contract.record)
    if name not in kinds:
        raise no_such_column(contract)
    if kinds[name].startswith(("DATE", "TIMESTAMP")):
        return
    if not kinds[name].startswith(("BIGINT", "DECIMAL", "DOUBLE")):
        raise ContractError(
            f"The watermark of contract.py, {name}, is {kinds[name]}: as text, a time with an "
            "offset or written otherwise sorts wrongly. Give the field the type datetime, date or "
            f"int, or run with mode=full; mode={mode} took nothing."
        )
    if mode is Mode.BACKFILL or contract.overlap:
        raise ContractError(
            f"The watermark of contract.py, {name}, is a number ({kinds[name]}), and the overlap of "
            "an incremental run and the bounds of a backfill are times. Set the overlap to "
            "timedelta(0) and run with mode=incremental, or run with mode=full."
        )


def no_such_column(contract: Contract) -> ContractError:
    """The error for a watermark that is no column."""
    return ContractError(
        f"The watermark of contract.py, {contract.watermark!r}, is no column of the record; a field "
        f"with an alias has that for its name. The columns: {', '.join(columns_of(contract.record))}."
    )


def _aware(bound: datetime | None) -> datetime | None:
    """A bound without an offset is UTC."""
    return bound if bound is None or bound.tzinfo else bound.replace(tzinfo=UTC)


def _less_overlap(contract: Contract, watermark: str) -> str | None:
    if not contract.overlap:
        return watermark
    try:
        if len(watermark) == len("2026-01-01"):
            return (date.fromisoformat(watermark) - contract.overlap).isoformat()
        return (datetime.fromisoformat(watermark) - contract.overlap).isoformat()
    except OverflowError:  # the overlap reaches behind the first year: nothing is too old
        return None
    except ValueError:
        raise ContractError(
            f"The watermark that is noted of the table {contract.table}, {watermark!r}, is no time, "
            f"and the field {contract.watermark} is one now. Run with mode=full once."
        ) from None


def moment(text: str | None) -> datetime | None:
    """The bound of a window as a datetime, for {since} in a source's address; None for none."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None  # a number: no address can be filled with it
    return _aware(found)


def check_size(ready: Ready, source_url: str, last: LastLoad | None, guard: Guard) -> str | None:
    """Compare the records that were read with those of the last full load of the same source.

    Rows of which none is left count as an empty source. Returns a warning, or None where all is
    well. Raises SourceError where the guard says fail.
    """
    read = ready.read if ready.count else 0
    full = last.full if last else None
    before = full.read if full and full.source_url == source_url else 0
    if guard.then is WhenShrunk.ACCEPT or (read and read >= before * (1 - guard.share)):
        return None
    what = f"{source_url} brought {ready.read:,} records"
    if ready.read and not ready.count:
        what += ", of which no row is left: all were refused, or transform.py made no row of them"
    if full and before:
        what += f", and {before:,} at the last full load, on {full.loaded_at:%Y-%m-%d %H:%M} UTC"
    if guard.then is WhenShrunk.WARN:
        return what
    raise SourceError(
        f"{what}; nothing was loaded. If that is right, set WHEN_SHRUNK in "
        "config.py to warn or accept, and run again."
    )
