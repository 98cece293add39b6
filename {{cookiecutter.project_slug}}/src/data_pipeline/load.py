"""Which target. Yours to edit where the rows shall go elsewhere."""

from collections.abc import Callable
from pathlib import Path

from data_pipeline.contract import CONTRACT
from ingest import warehouse
from ingest.steps import Loaded


def load(rows: Path, target: Path, run_id: str, say: Callable[[str], None]) -> Loaded:
    """Load the Parquet file `rows` into the contract's table of the DuckDB file `target`.

    All rows become visible together or not at all, and the same rows a second time change
    nothing. Raises ingest's TargetError.
    """
    return warehouse.load(rows, target, CONTRACT, run_id, say)
