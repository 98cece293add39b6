"""What a run did, as facts: its result, and what its artifact shows."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ingest.contract import Contract
from ingest.steps import Judged, Loaded, Ready, SourceFile


class RunSummary(BaseModel):
    """One run in numbers (records and rows).

    rows_duplicate: accepted records that gave way to a later one with the same key.
    rows_loaded: rows that the target now holds from this source; the sum of the three
        that follow it.
    quarantine_file: where the refused records lie, or None if there are none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_id: str
    source_url: str
    rows_read: int
    rows_rejected: int
    rows_duplicate: int
    rows_loaded: int
    rows_inserted: int
    rows_updated: int
    rows_unchanged: int
    target: str
    table: str
    quarantine_file: str | None

    def sentence(self) -> str:
        """The summary in one line, for a log."""
        return (
            f"{self.rows_loaded:,} rows in {self.table} ({self.rows_inserted:,} new, "
            f"{self.rows_updated:,} changed, {self.rows_unchanged:,} as before) from "
            f"{self.rows_read:,} records: {self.rows_rejected:,} refused, "
            f"{self.rows_duplicate:,} superseded"
        )


def summarize(
    run_id: str,
    contract: Contract,
    target: Path | str,
    source: SourceFile,
    judged: Judged,
    ready: Ready,
    loaded: Loaded,
) -> RunSummary:
    """Put together what the steps of one run report."""
    return RunSummary(
        run_id=run_id,
        source_url=source.url,
        rows_read=judged.read,
        rows_rejected=judged.rejected,
        rows_duplicate=ready.duplicates,
        rows_loaded=loaded.total,
        rows_inserted=loaded.inserted,
        rows_updated=loaded.updated,
        rows_unchanged=loaded.unchanged,
        target=str(target),
        table=contract.table,
        quarantine_file=str(judged.quarantine) if judged.quarantine else None,
    )
