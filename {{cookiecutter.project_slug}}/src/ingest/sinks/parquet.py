"""Load rows into Parquet files: one file for each table, in a folder or on an object store.

A load writes the whole file anew and puts it in the old one's place in one step. What is noted
of the loads stands in the file's own metadata, so the two cannot differ.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from ingest.contract import Contract
from ingest.duck import (
    connect,
    count,
    file_literal,
    followed,
    in_passing,
    literal,
    number,
    parquet_table,
)
from ingest.errors import TargetError
from ingest.loading import LastLoad, Load, Loaded, Ready
from ingest.sinks.base import PATIENCE, Say, silent
from ingest.sinks.duckdb_file import opened
from ingest.sinks.ledger import KEPT, Entry, Ledger
from ingest.sinks.parquet_rows import joined, storable
from ingest.sinks.staged import asking, attach_staging, check_filled, load_error, with_lineage

_NOTED = "blueprint_loads"  # the key of the file's metadata
_NAME = re.compile(r'[^/\\:*?"<>|\x00-\x1f.][^/\\:*?"<>|\x00-\x1f]*')


class ParquetSink:
    """A folder with one Parquet file for each table. `say` is for the protocol's sake."""

    def __init__(self, folder: Path, say: Say = silent) -> None:
        self.folder, self.shown = folder, f"{folder}{os.sep}"

    def last_load(self, table: str) -> LastLoad | None:
        return self._look_up(table).last()

    def committed(self, table: str, run_id: str) -> bool:
        return self._look_up(table).committed(run_id)

    def replayed(self, table: str, run_id: str) -> frozenset[int]:
        return self._look_up(table).replayed(run_id)

    def load(
        self,
        ready: Ready,
        contract: Contract,
        load: Load,
        say: Say = silent,
        patience: float = PATIENCE,
    ) -> Loaded:
        """See Sink.load."""
        name, work = file_name(contract.table), ready.staging.parent
        path, part = self.folder / name, self.folder / f".{name}.part"
        # A DuckDB file is the lock: it ends with its process, and names who has it.
        lock = self.folder / f".{name}.lock"
        with opened(lock, work, say, patience):
            old = path if path.exists() else None
            with explained(str(path), ready):
                loaded = merge(work, old, part, ready, contract, load, say, str(path))
            if part.exists():
                self._publish(part, path)
            return loaded

    def _look_up(self, table: str) -> Ledger:
        path = self.folder / file_name(table)
        if not path.exists():
            return Ledger()
        with explained(str(path)), duckdb.connect() as connection:
            return read_ledger(connection, path, table)

    def _publish(self, part: Path, path: Path) -> None:
        try:
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            part.replace(path)
            if os.name == "posix":  # else the new name may be lost with the power
                folder = os.open(self.folder, os.O_RDONLY)
                os.fsync(folder)
                os.close(folder)
        except OSError as error:
            raise TargetError(f"{path} cannot be replaced: {error}. Nothing was loaded.") from error


def file_name(table: str) -> str:
    """The name of the table's file. Raises TargetError where a file cannot be called so."""
    if not _NAME.fullmatch(table):
        raise TargetError(
            f"A file cannot be called {table!r}: Parquet needs a TABLE without a leading dot and "
            'without / \\ : * ? " < > |. Change it in contract.py.'
        )
    return f"{table}.parquet"


def merge(
    work: Path,
    old: Path | None,
    new: Path,
    ready: Ready,
    contract: Contract,
    load: Load,
    say: Say,
    shown: str,
) -> Loaded:
    """Write the file `new`: what `old` holds, with the rows of the load.

    Writes none where the run is loaded already, and leaves none where that fails. What memory
    does not hold spills into `work`.
    """

    def attempt(memory: str) -> Loaded:
        with (
            connect(Path(":memory:"), work, memory) as connection,
            followed(connection, say, f"Loading {ready.count:,} rows into {shown}"),
        ):
            return _merge(connection, old, new, ready, contract, load)

    try:
        return in_passing(attempt)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def _merge(
    connection: duckdb.DuckDBPyConnection,
    old: Path | None,
    new: Path,
    ready: Ready,
    contract: Contract,
    load: Load,
) -> Loaded:
    new.unlink(missing_ok=True)
    ledger = read_ledger(connection, old, contract.table) if old else Ledger()
    if ledger.committed(load.run_id):
        return Loaded(0, 0, ready.count)
    entry = ledger.next_entry(ready, contract, load)
    rows = with_lineage(storable(connection, attach_staging(connection, ready)), entry)
    before, never = 0, list[str]()
    if old:
        table = parquet_table(old)
        before = count(connection, table)
        rows, never = joined(connection, table, rows, ready, new, contract, load, ledger)
    notes = "\n".join(noted.to_json() for noted in (entry, *ledger.entries[: KEPT - 1]))
    metadata = "{" + f"{_NOTED}: {literal(notes)}" + "}"
    connection.execute(
        f"COPY (FROM {rows}) TO {literal(str(new))} (FORMAT parquet, COMPRESSION zstd, "
        f"USE_TMP_FILE false, KV_METADATA {metadata})"
    )
    written = parquet_table(new)
    check_filled(never, contract, written, asking(connection))
    if not contract.key:
        return Loaded(ready.count, 0, 0)
    ours = number(
        connection, f"SELECT count(*) FROM {written} WHERE _run_id = {literal(entry.run_id)}"
    )
    inserted = count(connection, written) - before
    return Loaded(inserted, ours - inserted, ready.count - ours)


def read_ledger(connection: duckdb.DuckDBPyConnection, path: Path, table: str) -> Ledger:
    """The loads noted in the file's metadata. Raises TargetError where there are none."""
    found = connection.execute(
        f"SELECT value FROM parquet_kv_metadata({file_literal(path)}) WHERE key = '{_NOTED}'::BLOB"
    ).fetchall()
    if not found:
        raise TargetError(
            f"The file of the table {table} was not made by this pipeline (its metadata has no "
            f"{_NOTED}), so it is not touched. Choose another TABLE in "
            "contract.py."
        )
    return Ledger([Entry.from_json(line) for line in found[0][0].decode().splitlines()])


@contextmanager
def explained(shown: str, ready: Ready | None = None) -> Generator[None, None, None]:
    """Say of DuckDB's errors what they mean for the target."""
    try:
        yield
    except duckdb.Error as error:
        raise load_error(f"Loading {shown}", error, ready) from error
