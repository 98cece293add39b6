"""Load rows into a DuckDB file, so that a repeated load changes nothing.

The table has no primary key: an index would make each load several times slower. The key
is kept by the load itself, in one transaction.
"""

from __future__ import annotations

import re
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from ingest.contract import Contract
from ingest.duck import connect, count, literal, number, quote
from ingest.errors import TargetError
from ingest.sources import Say
from ingest.steps import Loaded

LOCK_PATIENCE = 600.0  # seconds to wait for another process that has the file
_LOCK_PAUSE = 0.5  # seconds between two tries
# DuckDB's own words, on POSIX and on Windows; the path in the message may hold any word.
_LOCKED = re.compile(r"Could not set lock on file|being used by another process")
# No table of a user is called so.
_INCOMING = "temp._incoming_rows"
_HOLDER = re.compile(r"held in (.+?\(PID \d+\))")


def load(
    rows: Path,
    target: Path,
    contract: Contract,
    run_id: str,
    say: Say = lambda _: None,
    patience: float = LOCK_PATIENCE,
) -> Loaded:
    """Bring the Parquet file `rows` into the contract's table of the DuckDB file `target`.

    With a key, new rows are inserted and differing ones updated; without one, the whole
    table is replaced. All of it happens in one transaction or not at all. Waits up to
    `patience` seconds for a locked target. Raises TargetError.
    """
    with _opened(target, rows.parent, say, patience) as connection:
        try:
            connection.execute("BEGIN")
            connection.execute(
                f"CREATE TEMP TABLE {_INCOMING} AS SELECT *, {literal(run_id)} AS _run_id, "
                f"now() AS _loaded_at FROM read_parquet({literal(str(rows))})"
            )
            loaded = _merge(connection, contract) if contract.key else _swap(connection, contract)
            connection.execute("COMMIT")
            return loaded
        except duckdb.Error as error:
            raise TargetError(
                f"Loading the table {contract.table} of {target} failed, and nothing in it has "
                f"changed: {error}"
            ) from error


def _merge(connection: duckdb.DuckDBPyConnection, contract: Contract) -> Loaded:
    table = quote(contract.table)
    connection.execute(f"CREATE TABLE IF NOT EXISTS {table} AS FROM {_INCOMING} LIMIT 0")
    _follow_schema(connection, contract)
    same_key = " AND ".join(f"t.{quote(name)} = i.{quote(name)}" for name in contract.key)
    keys = {name.lower() for name in contract.key}
    names = [name for name in _incoming_types(connection) if name.lower() not in keys]
    changes = ", ".join(f"{quote(name)} = i.{quote(name)}" for name in names)
    # Who loaded a row, and when, is no difference.
    differs = " OR ".join(
        f"t.{quote(name)} IS DISTINCT FROM i.{quote(name)}"
        for name in names
        if name not in ("_run_id", "_loaded_at")
    )
    updated = number(
        connection,
        f"UPDATE {table} AS t SET {changes} FROM {_INCOMING} AS i "
        f"WHERE {same_key} AND ({differs or 'false'})",
    )
    inserted = number(
        connection,
        f"INSERT INTO {table} BY NAME SELECT i.* FROM {_INCOMING} AS i "
        f"ANTI JOIN {table} AS t ON {same_key}",
    )
    return Loaded(inserted, updated, count(connection, _INCOMING) - inserted - updated)


def _swap(connection: duckdb.DuckDBPyConnection, contract: Contract) -> Loaded:
    present = _types(connection, contract.table)
    _refuse_foreign(present, contract.table)
    rows = count(connection, _INCOMING)
    if not rows and present and count(connection, quote(contract.table)):
        raise TargetError(
            f"The run brought no row, and without a KEY it would empty the table "
            f"{contract.table}; it was left as it is. If it shall be empty, drop it."
        )
    connection.execute(f"CREATE OR REPLACE TABLE {quote(contract.table)} AS FROM {_INCOMING}")
    return Loaded(rows, 0, 0)


def _follow_schema(connection: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    """Add the incoming columns that the table lacks; refuse a type that has changed."""
    present = _types(connection, contract.table)
    _refuse_foreign(present, contract.table)
    known = {name.lower(): kind for name, kind in present.items()}
    for name, kind in _incoming_types(connection).items():
        held = known.get(name.lower())
        if held is None:
            connection.execute(
                f"ALTER TABLE {quote(contract.table)} ADD COLUMN {quote(name)} {kind}"
            )
        elif held != kind:
            raise TargetError(
                f"The column {name!r} of the table {contract.table} is {held}, the rows have "
                f"{kind}. Cast it in src/data_pipeline/transform.py, or convert the table, or drop "
                f"it and load it anew: DROP TABLE {quote(contract.table)}."
            )


def _refuse_foreign(present: dict[str, str], table: str) -> None:
    if present and "_run_id" not in present:
        raise TargetError(
            f"The table {table} was not made by this pipeline (it has no column _run_id), so it "
            "is not touched. Choose another TABLE in src/data_pipeline/contract.py."
        )


def _types(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """The columns of the target's table with their types; none where there is no such table."""
    found = connection.execute(
        "SELECT column_name, data_type FROM duckdb_columns() WHERE lower(table_name) = lower(?) "
        "AND schema_name = 'main' AND database_name = current_database() ORDER BY column_index",
        [table],
    ).fetchall()
    return {str(name): str(kind) for name, kind in found}


def _incoming_types(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    found = connection.execute(f"DESCRIBE {_INCOMING}").fetchall()
    return {str(row[0]): str(row[1]) for row in found}


@contextmanager
def _opened(
    target: Path, work: Path, say: Say, patience: float
) -> Generator[duckdb.DuckDBPyConnection, None, None]:
    """Open the target, waiting while another process has it."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TargetError(f"Cannot make the folder of {target}: {error}.") from error
    started = time.monotonic()
    while True:
        try:
            connection = connect(target, work)
            break
        except duckdb.Error as error:
            if not _LOCKED.search(str(error)):
                raise TargetError(f"Cannot open the target {target}: {error}") from error
            found = _HOLDER.search(str(error))
            holder = found.group(1) if found else "another process"
            waited = time.monotonic() - started
            if waited >= patience:
                raise TargetError(
                    f"{target} is still in use by {holder} after {waited:.0f} s. Close it there, "
                    "then run again; nothing was loaded."
                ) from error
            say(f"Waiting for {target}: in use by {holder} ({waited:.0f} of {patience:.0f} s)")
            time.sleep(_LOCK_PAUSE)
    with connection:
        yield connection
