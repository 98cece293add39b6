"""What has been judged so far: counts, the quarantine, and whether too much was refused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ingest.errors import TooManyRejected
from ingest.formats import Compression
from ingest.gate.pydantic_way import Refusal
from ingest.quarantine import Quarantine
from ingest.steps import Judged, Limits, SourceFile


@dataclass
class Outcome:
    """What a block of `size` bytes brought: `asked` records were judged by Pydantic."""

    first: int | None
    read: int
    asked: int
    refused: list[Refusal]
    size: int = 0


class Tally:
    """What has been judged so far."""

    def __init__(self, source: SourceFile, quarantine: Quarantine) -> None:
        self.total = 0
        self.done: float | None = None
        self._asked = 0
        self._taken = 0
        self._source = source
        self._quarantine = quarantine

    def add(self, outcome: Outcome) -> None:
        """Count a block, and keep what was refused of it."""
        for refusal in sorted(outcome.refused, key=lambda found: found.raw.position):
            raw = refusal.raw
            if outcome.first is None:
                raw = replace(raw, position=self.total + raw.position)
            self._quarantine.refuse(raw, refusal.field, refusal.reason)
        self.total += outcome.read
        self._asked += outcome.asked
        self._taken += outcome.size
        if self._source.size and self._source.compression is Compression.NONE:
            self.done = min(1.0, self._taken / self._source.size)

    def judged(self, staging: Path, closed: str | None) -> Judged:
        """The whole of it."""
        quarantine = self._quarantine
        kept = quarantine.path if quarantine.count else None
        return Judged(
            staging,
            self.total,
            quarantine.count,
            tuple(quarantine.reasons.most_common()),
            quarantine.first,
            kept,
            _way(closed, self.total, self._asked),
        )


def _way(closed: str | None, total: int, asked: int) -> str:
    if closed:
        return f"Pydantic, record by record: the gate does not know {closed}"
    if not total or not asked:
        return "the gate"
    return f"the gate for {1 - asked / total:.1%}, Pydantic for {asked:,} records"


def check_count(quarantine: Quarantine, limits: Limits) -> None:
    """Raises TooManyRejected where more were refused than the limits' number."""
    if limits.count is not None and quarantine.count > limits.count:
        raise _too_many(quarantine, f"{quarantine.count:,} records, the limit is {limits.count:,}")


def check_share(quarantine: Quarantine, total: int, limits: Limits) -> None:
    """Raises TooManyRejected where more were refused than the limits' share of all."""
    if total and quarantine.count / total > limits.share:
        share = quarantine.count / total
        refused = f"{quarantine.count:,} of {total:,} records ({share:.1%})"
        raise _too_many(quarantine, f"{refused}, the limit is {limits.share:.1%}")


def _too_many(quarantine: Quarantine, what: str) -> TooManyRejected:
    quarantine.fail()
    return TooManyRejected(
        f"Refused {what}; nothing was loaded. Most often: {quarantine.common_reasons()}. "
        f"Read the refused records in {quarantine.path}, then mend the source or "
        "contract.py, or raise the limits in config.py."
    )
