"""What a load asks of the target's catalogue in DuckDB: columns, and the table of the loads."""

from __future__ import annotations

import duckdb

from ingest.duck import quote
from ingest.sinks.base import new_columns
from ingest.sinks.ledger import KEPT, LOADS, Entry, Ledger
from ingest.sinks.staged import types

TARGET = "_target"  # as which the file is attached
_LEDGER = f"{TARGET}.main.{LOADS}"


def in_target(table: str) -> str:
    """What stands for the table in a statement."""
    return f"{TARGET}.main.{quote(table)}"


def follow_schema(
    connection: duckdb.DuckDBPyConnection, rows: str, many: int, name: str
) -> list[str]:
    """Make the table for the rows, so `many`, or give it the columns that it lacks: these."""
    table = in_target(name)
    held, incoming = held_columns(connection, name), types(connection, rows)
    # DuckDB's names differ by more than case.
    spelled = {column.lower(): column for column in held}
    same = {spelled.get(column.lower(), column): kind for column, kind in incoming.items()}
    added = new_columns(held, same, many, name, f"DROP TABLE {quote(name)}")
    for column, kind in added.items():
        connection.execute(f"ALTER TABLE {table} ADD COLUMN {quote(column)} {kind}")
    if not held:
        connection.execute(f"CREATE TABLE {table} AS FROM {rows} LIMIT 0")
    return list(added)


def read_ledger(connection: duckdb.DuckDBPyConnection, table: str) -> Ledger:
    # Whoever drops the table begins anew: its loads no longer count.
    if not held_columns(connection, LOADS) or not held_columns(connection, table):
        return Ledger()
    key = "key" if "key" in held_columns(connection, LOADS) else "NULL"  # not noted by version 0.1
    found = connection.execute(
        "SELECT run_id, mode, source_url, read, rows, watermark, loaded_at, replay_of, positions, "
        f"{key} FROM {_LEDGER} WHERE lower(table_name) = lower(?) ORDER BY loaded_at DESC LIMIT {KEPT}",
        [table],
    ).fetchall()
    return Ledger([Entry.from_row(row) for row in found])


def note(connection: duckdb.DuckDBPyConnection, table: str, entry: Entry, *, first: bool) -> None:
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS {_LEDGER} (table_name VARCHAR, run_id VARCHAR, mode VARCHAR, "
        "source_url VARCHAR, read BIGINT, rows BIGINT, watermark VARCHAR, loaded_at TIMESTAMPTZ, "
        "replay_of VARCHAR, positions BIGINT[])"
    )
    connection.execute(f"ALTER TABLE {_LEDGER} ADD COLUMN IF NOT EXISTS key VARCHAR[]")
    if first:  # of a table that was dropped, loads may be noted still
        connection.execute(f"DELETE FROM {_LEDGER} WHERE lower(table_name) = lower(?)", [table])
    connection.execute(
        f"INSERT INTO {_LEDGER} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            table, entry.run_id, entry.mode, entry.source_url, entry.read, entry.rows,
            entry.watermark, entry.loaded_at, entry.replay_of, list(entry.positions),
            list(entry.key or ()),
        ],
    )  # fmt: skip


def held_columns(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """The columns of the target's table with their types; none where there is no such table."""
    found = connection.execute(
        "SELECT column_name, data_type FROM duckdb_columns() WHERE lower(table_name) = lower(?) "
        f"AND schema_name = 'main' AND database_name = '{TARGET}' ORDER BY column_index",
        [table],
    ).fetchall()
    return {str(name): str(kind) for name, kind in found}
