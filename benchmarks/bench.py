"""What every benchmark needs: a stamped project, the data over HTTP, and one measured load."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from data import BAD, CACHE, SPOILED_EVERY, dataset
from entries import Entry
from job import Job
from measure import Failed, Measured, measure, scratch_folder, served
from project import add_extras, python, stamp


@dataclass(frozen=True)
class Bench:
    """`project` is the stamped one; at `address` the cache of the data is served."""

    project: Path
    address: str

    def load(self, entry: Entry, rows: int, target: str | None = None) -> Measured:
        """Let the entry load `rows` orders into `target`, by default a new DuckDB file.

        Raises Failed, also where the target then holds other rows than it should.
        """
        source = dataset(rows, entry.source)
        with scratch_folder() as work:
            job = Job(
                url=f"{self.address}/{source.relative_to(CACHE)}",
                file=source,
                file_format=entry.source_format,
                target=target or str(work / "target.duckdb"),
                work=work,
                project=self.project,
            )
            interpreter = python(self.project) if entry.ours else Path(sys.executable)
            measured = measure(interpreter, entry.candidate, job)
        expected = rows - rows // SPOILED_EVERY if entry.source == BAD else rows
        if measured.rows != expected:
            raise Failed(f"{entry.key} loaded {measured.rows:,} rows, not {expected:,}")
        return measured


@contextmanager
def prepared(*extras: str) -> Iterator[Bench]:
    """Stamp a project with these extras and serve the data until the end of the block, which a
    Failed ends."""
    CACHE.mkdir(exist_ok=True)
    with scratch_folder() as scratch, served(CACHE) as address:
        project = stamp(scratch)
        if extras:
            add_extras(project, *extras)
        try:
            yield Bench(project, address)
        except Failed as error:
            raise SystemExit(str(error)) from None
