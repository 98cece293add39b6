"""What the steps of a run are told and what each hands to the next: paths and counts.

Prefect carries these from task to task, so they hold no data.
"""

from dataclasses import dataclass
from pathlib import Path

from ingest.formats import Compression, Format


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
    sole_key: that key was found, as the only one with an array of records: it is no dotted
    one, and another such array is an error.
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
    sole_key: bool = False

    @property
    def keys(self) -> list[str]:
        """The keys on the way to the records of a JSON object."""
        if self.sole_key or not self.records_key:
            return [self.records_key] if self.records_key else []
        return self.records_key.split(".")

    @property
    def kind(self) -> str:
        """Its format in words: which records were taken, where nobody had said it."""
        if not self.sole_key:
            return str(self.format)
        return f"{self.format}, the records under {self.records_key!r}, no field beside them"


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
