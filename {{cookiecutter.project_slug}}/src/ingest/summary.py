"""What a run did, as facts: its result, and what its artifacts show."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict

from ingest.contract import Contract
from ingest.errors import PipelineError
from ingest.loading import Loaded, Ready
from ingest.steps import Judged, SourceFile

MOST_REASONS = 10
MOST_REFUSED = 5
LONGEST = 200  # characters that are shown of a refused record, and of a reason
LONGEST_ERROR = 2000


class RefusedRecord(BaseModel):
    """One of the first records that a run refused.

    field: the dotted path of the faulty field, if it is one. raw: the start of the record as
    it came, or None where the run keeps records out of its summary.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    position: int
    field: str | None
    reason: str
    raw: str | None


class RunSummary(BaseModel):
    """One run in numbers (records and rows), whether it completed or failed.

    rows_duplicate: accepted records that gave way to a later one with the same key.
    rows_loaded: rows that the target now holds from this source; the sum of the three
        that follow it.
    reasons: how often each of the most frequent reasons came.
    quarantine_file: where the refused records lie, or None if there are none.
    way: how the records were judged. watermark: the greatest one among the rows.
    error: None if the run completed, else why it failed; the counts then say how far it
        came, and `source_url` is empty where the source was not reached.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_id: str
    source_url: str
    mode: str
    way: str | None
    rows_read: int
    rows_accepted: int
    rows_rejected: int
    rows_duplicate: int
    rows_loaded: int
    rows_inserted: int
    rows_updated: int
    rows_unchanged: int
    reasons: dict[str, int]
    first_refused: tuple[RefusedRecord, ...]
    bytes_read: int
    seconds: float
    rows_per_second: float
    watermark: str | None
    target: str
    table: str
    quarantine_file: str | None
    ended_at: AwareDatetime
    error: str | None

    def sentence(self) -> str:
        """The summary in one line, for a log."""
        records = f"{self.rows_read:,} records: {self.rows_rejected:,} refused"
        if self.error is not None:
            return f"Failed after {records}"
        return (
            f"{self.rows_loaded:,} rows into {self.table} ({self.rows_inserted:,} new, "
            f"{self.rows_updated:,} changed, {self.rows_unchanged:,} as before) from "
            f"{records}, {self.rows_duplicate:,} superseded"
        )

    def facts(self) -> list[tuple[str, str]]:
        """What a person asks of a run, as names and values; what does not apply is left out."""
        share = self.rows_rejected / self.rows_read if self.rows_read else 0.0
        loaded = (
            f"{self.rows_loaded:,} ({self.rows_inserted:,} new, {self.rows_updated:,} changed, "
            f"{self.rows_unchanged:,} as before)"
        )
        facts = [
            ("Records read", f"{self.rows_read:,}"),
            ("Accepted", f"{self.rows_accepted:,}"),
            ("Refused", f"{self.rows_rejected:,} ({share:.2%})"),
            ("Superseded by a later record", f"{self.rows_duplicate:,}"),
            ("Rows loaded", loaded),
            ("Size of the source", _size(self.bytes_read)),
            ("Took", f"{self.seconds:,.1f} s"),
            ("Records per second", f"{self.rows_per_second:,.0f}"),
            ("Mode", self.mode),
            ("Judged", self.way),
            ("Watermark", self.watermark),
            ("Source", self.source_url),
            ("Target", f"{self.table} in {self.target}"),
            ("Refused records are in", self.quarantine_file),
        ]
        return [(name, value) for name, value in facts if value]

    def most_refused(self) -> list[tuple[str, int]]:
        """The reasons with their counts, the most frequent first, and what is left of them."""
        shown = sorted(self.reasons.items(), key=lambda one: -one[1])
        rest = self.rows_rejected - sum(self.reasons.values())
        return [*shown, ("other reasons", rest)] if rest > 0 else shown


@dataclass
class Progressed:
    """What the steps of one run have reported so far; a step that has not ended is None."""

    source: SourceFile | None = None
    judged: Judged | None = None
    ready: Ready | None = None
    loaded: Loaded | None = None
    watermark: str | None = None


def summarize(
    run_id: str,
    contract: Contract,
    target: Path | str,
    so_far: Progressed,
    seconds: float,
    *,
    mode: str = "full",
    show_raw: bool = True,
    error: BaseException | None = None,
) -> RunSummary:
    """Put together what the steps of one run reported, up to its end or to `error`.

    target: as it may be shown, without a password. seconds: how long the run took.
    show_raw: False keeps the records themselves out, where they may hold personal data.
    """
    judged, loaded = so_far.judged, so_far.loaded or Loaded(0, 0, 0)
    read = judged.read if judged else 0
    return RunSummary(
        run_id=run_id,
        source_url=so_far.source.url if so_far.source else "",
        mode=str(mode),
        way=judged.way if judged else None,
        rows_read=read,
        rows_accepted=judged.accepted if judged else 0,
        rows_rejected=judged.rejected if judged else 0,
        rows_duplicate=so_far.ready.duplicates if so_far.ready else 0,
        rows_loaded=loaded.total,
        rows_inserted=loaded.inserted,
        rows_updated=loaded.updated,
        rows_unchanged=loaded.unchanged,
        reasons=_reasons(judged),
        first_refused=_first_refused(judged, show_raw),
        bytes_read=so_far.source.size if so_far.source else 0,
        seconds=round(seconds, 3),
        rows_per_second=round(read / seconds, 1) if seconds else 0.0,
        watermark=so_far.watermark,
        target=str(target),
        table=contract.table,
        quarantine_file=str(judged.quarantine) if judged and judged.quarantine else None,
        ended_at=datetime.now(UTC),
        error=None if error is None else _explained(error),
    )


def _reasons(judged: Judged | None) -> dict[str, int]:
    counted: dict[str, int] = {}
    for reason, count in judged.reasons[:MOST_REASONS] if judged else ():
        shown = _cut(reason, LONGEST)
        counted[shown] = counted.get(shown, 0) + count
    return counted


def _first_refused(judged: Judged | None, show_raw: bool) -> tuple[RefusedRecord, ...]:
    return tuple(
        RefusedRecord(
            position=one.position,
            field=_cut(one.field, LONGEST) if one.field is not None else None,
            reason=_cut(one.reason, LONGEST),
            raw=_cut(one.raw, LONGEST) if show_raw else None,
        )
        for one in (judged.first_refused[:MOST_REFUSED] if judged else ())
    )


def _explained(error: BaseException) -> str:
    """A message of ours says it all; another's needs the name of its kind."""
    if isinstance(error, PipelineError):
        return _cut(str(error), LONGEST_ERROR)
    return _cut(f"{type(error).__name__}: {error}", LONGEST_ERROR)


def _cut(text: str, longest: int) -> str:
    """The start of a text, in characters that every database and terminal can take."""
    shown = text if len(text) <= longest else text[: longest - 1] + "…"
    # A NUL, half of a surrogate pair or a terminal's escape would be refused, or obeyed.
    return "".join(
        one if one.isprintable() or one == "\n" else one.encode("unicode_escape").decode()
        for one in shown
    )


def _size(count: int) -> str:
    if count < 1_000_000:
        return f"{count:,} bytes"
    return f"{count / 1e6:,.1f} MB"
