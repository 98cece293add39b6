"""Load rows into a DuckDB file.

The tables have no primary key: an index would make each load several times slower. The key is
kept by the load itself, in one transaction.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from ingest.contract import Contract
from ingest.duck import (
    MEMORY,
    check_path,
    connect,
    count,
    followed,
    in_passing,
    literal,
    number,
    quote,
)
from ingest.errors import TargetError
from ingest.loading import LastLoad, Load, Loaded, Mode, Ready
from ingest.sinks.base import PATIENCE, Say, Waiting, check_table_name, silent
from ingest.sinks.duckdb_tables import TARGET, follow_schema, in_target, note, read_ledger
from ingest.sinks.key_parts import key_parts
from ingest.sinks.ledger import Ledger
from ingest.sinks.staged import (
    asking,
    attach_staging,
    check_filled,
    check_held_keys,
    differs,
    load_error,
    never_lacking,
    overwritable,
    same_key,
    types,
    with_lineage,
)

# DuckDB's own words, on POSIX and on Windows, and where this process has the file itself; the
# path in the message may hold any word.
_LOCKED = re.compile(
    r"Could not set lock on file|being used by another process|Unique file handle conflict"
)
_HOLDER = re.compile(r"held in (.+?\(PID \d+\))")


class DuckDBSink:
    """A DuckDB file. `say` hears of waiting for it while its loads are looked up."""

    def __init__(self, path: Path, say: Say = silent) -> None:
        self.path, self.shown, self._say = path, str(path), say

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
        check_table_name(contract.table)

        def attempt(memory: str) -> Loaded:
            work = ready.staging.parent
            with opened(self.path, work, say, patience, memory=memory) as connection:
                incoming = attach_staging(connection, ready)
                doing = f"Loading {ready.count:,} rows into {contract.table} of {self.shown}"
                with followed(connection, say, doing):
                    connection.execute("BEGIN")
                    loaded = _load(connection, incoming, ready, contract, load)
                    connection.execute("COMMIT")
                return loaded

        try:
            return in_passing(attempt)
        except duckdb.Error as error:
            what = f"Loading the table {contract.table} of {self.shown}"
            raise load_error(what, error, ready) from error

    def _look_up(self, table: str) -> Ledger:
        if not self.path.exists():
            return Ledger()
        with opened(self.path, self.path.parent, self._say, PATIENCE, "READ_ONLY") as connection:
            try:
                return read_ledger(connection, table)
            except duckdb.Error as error:
                raise TargetError(f"Cannot read the loads of {self.shown}: {error}") from error


def _load(
    connection: duckdb.DuckDBPyConnection,
    incoming: str,
    ready: Ready,
    contract: Contract,
    load: Load,
) -> Loaded:
    """Write rows and ledger, in a transaction that is open."""
    ledger = read_ledger(connection, contract.table)
    if ledger.committed(load.run_id):
        return Loaded(0, 0, ready.count)
    entry = ledger.next_entry(ready, contract, load)
    rows = with_lineage(incoming, entry)
    table = in_target(contract.table)
    ask = asking(connection)
    added = follow_schema(connection, rows, ready.count, contract.table)
    never = never_lacking(added, contract, rows, ask)
    check_held_keys(ledger, contract, table, ask)
    if not contract.key and load.mode is not Mode.REPLAY:
        connection.execute(f"CREATE OR REPLACE TABLE {table} AS FROM {table} LIMIT 0")
    if not ready.count:
        loaded = Loaded(0, 0, 0)
    elif contract.key and count(connection, table):
        loaded = _merge(connection, table, rows, ready.count, contract, overwritable(load))
    else:
        connection.execute(f"INSERT INTO {table} BY NAME FROM {rows}")
        loaded = Loaded(ready.count, 0, 0)
    check_filled(never, contract, table, ask)
    note(connection, contract.table, entry, first=not ledger.entries)
    return loaded


def _merge(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    rows: str,
    of: int,
    contract: Contract,
    overwritable: str,
) -> Loaded:
    before = count(connection, table)
    keys = {name.lower() for name in contract.key}
    names = [name for name in types(connection, rows) if name.lower() not in keys]
    changes = ", ".join(f"{quote(name)} = i.{quote(name)}" for name in names)
    written = 0
    # Rows that outgrow the memory would be joined from disk, many times slower than in parts.
    for part in key_parts(connection, table, rows, contract, min(of, before)):
        written += number(
            connection,
            f"MERGE INTO {table} AS t USING (FROM {rows} AS i WHERE {part('i')}) AS i "
            f"ON {same_key(contract)} AND {part('t')} "
            f"WHEN MATCHED AND ({differs(names)}) AND {overwritable} THEN UPDATE SET {changes} "
            "WHEN NOT MATCHED THEN INSERT BY NAME",
        )
    inserted = count(connection, table) - before
    return Loaded(inserted, written - inserted, of - written)


@contextmanager
def opened(
    path: Path,
    work: Path,
    say: Say,
    patience: float,
    option: str = "READ_WRITE",
    memory: str = MEMORY,
) -> Generator[duckdb.DuckDBPyConnection, None, None]:
    """A connection with the file attached as `_target`, once it is free. Raises TargetError."""
    check_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TargetError(f"Cannot make the folder of {path}: {error}.") from error
    # Attached, since DuckDB drops its lock on a file that one process opens twice by itself.
    waiting = Waiting(str(path), say, patience)
    with connect(Path(":memory:"), work, memory) as connection:
        while True:
            try:
                connection.execute(f"ATTACH {literal(str(path))} AS {TARGET} ({option})")
                break
            except duckdb.OutOfMemoryException:
                raise  # a log of what another process left; see in_passing
            except duckdb.Error as error:
                if not _LOCKED.search(str(error)):
                    raise TargetError(f"Cannot open the target {path}: {error}") from error
                found = _HOLDER.search(str(error))
                waiting.pause(found.group(1) if found else "another process")
        yield connection
