"""What a load is handed, what it is told, and what it says of itself.

Prefect carries these from task to task, so they hold paths and counts and no data.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path


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
class Ready:
    """The rows to load: `rows`, a view or table in the DuckDB file `staging`.

    Its columns are the final ones without the lineage columns, its keys are checked: never
    null, each once. count: of the rows. duplicates: records that gave way to a later one.
    read: records read in the source. watermark: the greatest of the rows, as ISO text. way:
    how the rows were made, where that is slow.
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

    source_url: fit to be shown. watermark: the greatest among the rows, as ISO text.
    accept_other_source: a table without a key may be replaced by another source's rows.
    replay_of, positions: in REPLAY, whose refused records these are, and which of them.
    newer_by: in REPLAY, the column in which a row must be greater than the one with its key
        that it replaces; None where it replaces none.
    """

    run_id: str
    source_url: str
    read: int
    mode: Mode = Mode.FULL
    accept_other_source: bool = False
    watermark: str | None = None
    replay_of: str | None = None
    positions: tuple[int, ...] = ()
    newer_by: str | None = None


@dataclass(frozen=True)
class LastLoad:
    """The newest load of a table.

    watermark: the greatest that any load of it has had. full: the newest that took all of its
    source, in the same form.
    """

    run_id: str
    source_url: str
    read: int
    rows: int
    watermark: str | None
    loaded_at: datetime
    mode: Mode = Mode.FULL
    full: "LastLoad | None" = None


@dataclass(frozen=True)
class Loaded:
    """What a load did to the table's rows; `unchanged` ones were there already."""

    inserted: int
    updated: int
    unchanged: int

    @property
    def total(self) -> int:
        return self.inserted + self.updated + self.unchanged
