"""What the steps of a run are told and what each hands to the next: paths and counts.

Prefect carries these from task to task, so they hold no data, and name no engine: a faster
gate or another target fills the same ones.
"""

from dataclasses import dataclass
from pathlib import Path

from ingest.formats import Format


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
    """A source as a local file: `size` in bytes, `url` fit to be shown (no password)."""

    path: Path
    format: Format
    url: str
    size: int


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

    staged: the accepted ones as NDJSON, with `_position` in each line.
    reasons: how often each kind of refusal came, the most frequent first.
    way: how the records were judged, in words.
    """

    staged: Path
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
class Ready:
    """The rows to load, as a Parquet file; `duplicates` gave way to a later record."""

    rows: Path
    count: int
    duplicates: int


@dataclass(frozen=True)
class Loaded:
    """What a load did to the table's rows."""

    inserted: int
    updated: int
    unchanged: int

    @property
    def total(self) -> int:
        return self.inserted + self.updated + self.unchanged
