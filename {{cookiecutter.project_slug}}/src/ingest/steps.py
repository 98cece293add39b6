"""What the steps of a run are told and what each hands to the next: paths and counts.

Prefect carries these from task to task, so they hold no data.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from ingest.formats import Compression, Format


class Mode(StrEnum):
    """What a run takes of its source.

    FULL: all of it. INCREMENTAL: what is newer than the last load. BACKFILL: a range of
    dates. REPLAY: what an earlier run refused.
    """

    FULL = "full"
    INCREMENTAL = "incremental"
    BACKFILL = "backfill"
    REPLAY = "replay"


@dataclass(frozen=True)
class Limits:
    """How many refused records a run bears: a share of all, and a number if there is one."""

    share: float
    count: int | None = None


@dataclass(frozen=True)
class Step:
    """How a run judges: `batch_size` records at a time, the refused ones into `folder`."""

    batch_size: int
    limits: Limits
    folder: Path
    run_id: str


@dataclass(frozen=True)
class SourceFile:
    """A source as a local file: `size` in bytes, `url` fit to be shown (no password).

    records_key: the key that holds the records, in a JSON object (dotted where it is deeper).
    delimiter: what stands between two fields, in CSV. encoding: of its text.
    """

    path: Path
    format: Format
    url: str
    size: int
    compression: Compression = Compression.NONE
    records_key: str | None = None
    delimiter: str = ","
    encoding: str = "utf-8"


@dataclass(frozen=True)
class Refused:
    """One refused record, as a person is shown it: `raw` is cut to a line."""

    position: int
    field: str | None
    reason: str
    raw: str


@dataclass(frozen=True)
class Judged:
    """The records of a source, judged.

    staging: a DuckDB file with the relation `accepted`: `_position` and the contract's columns.
    reasons: how often each kind of refusal came, the most frequent first.
    way: how the records were judged, in words.
    """

    staging: Path
    read: int
    rejected: int
    reasons: tuple[tuple[str, int], ...]
    first_refused: tuple[Refused, ...]
    quarantine: Path | None
    way: str

    @property
    def accepted(self) -> int:
        return self.read - self.rejected

    def common_reasons(self, most: int = 3) -> str:
        """The most frequent reasons in words, for a log line."""
        return "; ".join(f"{count} × {why}" for why, count in self.reasons[:most])


@dataclass(frozen=True)
class Window:
    """Which records a run takes, by the contract's watermark: from `since`, before `until`.

    Both are ISO 8601 text, or None for no bound. A record without a watermark is always taken.
    """

    since: str | None = None
    until: str | None = None


@dataclass(frozen=True)
class Ready:
    """The rows to load: the relation `rows` in the DuckDB file `staging`.

    Its columns are those of the table without the lineage; KEY is never null in it, and each
    key is there once. read: records of the source. duplicates: accepted records that gave way
    to a later one. watermark: the greatest of the rows, as ISO text. way: how the rows were
    made, where that is slow.
    """

    staging: Path
    count: int
    duplicates: int
    read: int
    watermark: str | None = None
    way: str = ""


@dataclass(frozen=True)
class Load:
    """What one load is told.

    read: records of the source. accept_other_source: whether a table that was loaded from
    another source may be replaced. replay_of, positions: in a REPLAY, the run that refused
    these records, and which they are.
    """

    run_id: str
    source_url: str
    read: int
    mode: Mode = Mode.FULL
    accept_other_source: bool = False
    watermark: str | None = None
    replay_of: str | None = None
    positions: tuple[int, ...] = ()


@dataclass(frozen=True)
class LastLoad:
    """The newest load of a table. watermark: the greatest that any load of it has had."""

    run_id: str
    source_url: str
    read: int
    rows: int
    watermark: str | None
    loaded_at: datetime
    mode: Mode = Mode.FULL


@dataclass(frozen=True)
class Loaded:
    """What a load did to the table's rows."""

    inserted: int
    updated: int
    unchanged: int

    @property
    def total(self) -> int:
        return self.inserted + self.updated + self.unchanged
