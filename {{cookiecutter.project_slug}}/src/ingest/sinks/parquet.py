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
    quote,
)
from ingest.errors import TargetError
from ingest.loading import LastLoad, Load, Loaded, Mode, Ready
from ingest.sinks.base import PATIENCE, Say, new_columns, silent
from ingest.sinks.duckdb_file import opened
from ingest.sinks.ledger import KEPT, Entry, Ledger
from ingest.sinks.staged import (
    attach_staging,
    check_held_keys,
    differs,
    load_error,
    overwritable,
    same_key,
    types,
    with_lineage,
)

_NOTED = "blueprint_loads"  # the key of the file's metadata
_THERE = "_blueprint_there"
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

    Writes none where the run is loaded already. What memory does not hold spills into `work`.
    """

    def attempt(memory: str) -> Loaded:
        with (
            connect(Path(":memory:"), work, memory) as connection,
            followed(connection, say, f"Loading {ready.count:,} rows into {shown}"),
        ):
            return _merge(connection, old, new, ready, contract, load)

    return in_passing(attempt)


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
    rows = with_lineage(_storable(connection, attach_staging(connection, ready)), entry)
    before = 0
    if old:
        table = parquet_table(old)
        before = count(connection, table)
        rows = _joined(connection, table, rows, new, contract, load, ledger)
    notes = "\n".join(noted.to_json() for noted in (entry, *ledger.entries[: KEPT - 1]))
    metadata = "{" + f"{_NOTED}: {literal(notes)}" + "}"
    connection.execute(
        f"COPY (FROM {rows}) TO {literal(str(new))} (FORMAT parquet, COMPRESSION zstd, "
        f"USE_TMP_FILE false, KV_METADATA {metadata})"
    )
    written = parquet_table(new)
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


def _storable(connection: duckdb.DuckDBPyConnection, incoming: str) -> str:
    """The rows without 128-bit integers, which Parquet would hold as inexact floats."""
    casts = []
    for name, kind in types(connection, incoming).items():
        if kind in ("HUGEINT", "UHUGEINT"):
            casts.append(f"{quote(name)}::DECIMAL(38, 0) AS {quote(name)}")
        elif "HUGEINT" in kind:
            raise TargetError(
                f"The column {name!r} holds {kind}: Parquet has no 128-bit integer. Cast it in "
                "transform.py, to BIGINT or to DECIMAL(38, 0)."
            )
    return f"(SELECT * REPLACE ({', '.join(casts)}) FROM {incoming})" if casts else incoming


def _joined(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    rows: str,
    scratch: Path,
    contract: Contract,
    load: Load,
    ledger: Ledger,
) -> str:
    """What the new file shall hold, as a subquery."""
    held = types(connection, table)
    # What Parquet makes of a type is what the file will say of it the next time.
    connection.execute(f"COPY (FROM {rows} LIMIT 0) TO {literal(str(scratch))} (FORMAT parquet)")
    kept = types(connection, parquet_table(scratch))
    spelled = {name.lower(): name for name in held}
    sent = {spelled.get(name.lower(), name): kind for name, kind in kept.items()}
    added = new_columns(held, sent, contract.table, "delete its file")
    blank = "".join(f", NULL::{kind} AS {quote(name)}" for name, kind in added.items())
    table = f"(SELECT *{blank} FROM {table})"
    check_held_keys(ledger, contract, table, lambda ask: connection.execute(ask).fetchall())
    if not contract.key:
        # By the old file's columns, of which a replacement keeps no row.
        kept_rows = "" if load.mode is Mode.REPLAY else " LIMIT 0"
        return f"((FROM {table}{kept_rows}) UNION ALL BY NAME (FROM {rows}))"
    take = (
        f"(t.{_THERE} IS NULL OR i.{_THERE} AND ({differs(list(sent))}) AND {overwritable(load)})"
    )
    cells = ", ".join(
        f"CASE WHEN {take} THEN i.{quote(name)} ELSE t.{quote(name)} END AS {quote(name)}"
        if name in sent
        else f"t.{quote(name)}"
        for name in (*held, *added)
    )
    return (
        f"(SELECT {cells} FROM (SELECT *, true AS {_THERE} FROM {table}) AS t "
        f"FULL JOIN (SELECT *, true AS {_THERE} FROM {rows}) AS i ON {same_key(contract)})"
    )


@contextmanager
def explained(shown: str, ready: Ready | None = None) -> Generator[None, None, None]:
    """Say of DuckDB's errors what they mean for the target."""
    try:
        yield
    except duckdb.Error as error:
        raise load_error(f"Loading {shown}", error, ready) from error
