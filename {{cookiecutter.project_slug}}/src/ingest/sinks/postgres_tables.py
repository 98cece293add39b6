"""What a load asks of PostgreSQL's catalogue: columns, keys, and the table of the loads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ingest.duck import columns, quote
from ingest.sinks.ledger import KEPT, LOADS, Entry, Ledger

if TYPE_CHECKING:
    import psycopg

# One number for each table of a schema; a lock by it ends with its transaction.
NUMBER = "hashtextextended('blueprint load: ' || current_schema() || '.' || %s, 0)"


def run(
    target: psycopg.Connection[Any], statement: str, values: Sequence[Any] | None = None
) -> psycopg.Cursor[Any]:
    """Execute a statement; `values` stand for its %s."""
    return target.execute(statement.encode(), values)  # text would have to be a literal


def held(target: psycopg.Connection[Any], table: str) -> dict[str, str]:
    """The columns of a table with their types; none where there is no such table."""
    found = run(
        target,
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
        "WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped "
        "AND attgenerated = '' ORDER BY attnum",  # what the server makes is nothing to load
        [quote(table)],
    )
    return {str(name): str(kind) for name, kind in found}


def make_ledger(target: psycopg.Connection[Any]) -> None:
    """Make the table of the loads, in a transaction of its own, where it is missing."""
    if "key" in held(target, LOADS):
        return
    with target.transaction():
        # Of two at once, IF NOT EXISTS fails one.
        run(target, f"SELECT pg_advisory_xact_lock({NUMBER})", [LOADS])
        run(
            target,
            f"CREATE TABLE IF NOT EXISTS {LOADS} (table_name text, run_id text, mode text, "
            "source_url text, read bigint, rows bigint, watermark text, loaded_at timestamptz, "
            "replay_of text, positions bigint[])",
        )
        run(target, f"ALTER TABLE {LOADS} ADD COLUMN IF NOT EXISTS key text[]")


def read_ledger(target: psycopg.Connection[Any], table: str) -> Ledger:
    """The loads of a table: none where it was dropped, for then it begins anew."""
    noted = held(target, LOADS)
    if not noted or not held(target, table):
        return Ledger()
    key = "key" if "key" in noted else "NULL"  # not noted by version 0.1
    found = run(
        target,
        "SELECT run_id, mode, source_url, read, rows, watermark, loaded_at, replay_of, positions, "
        f"{key} FROM {LOADS} WHERE table_name = %s ORDER BY loaded_at DESC LIMIT {KEPT}",
        [table],
    )
    return Ledger([Entry.from_row(row) for row in found])


def note(target: psycopg.Connection[Any], table: str, entry: Entry, *, first: bool) -> None:
    """Note a load; the `first` of a table makes those of a dropped one forgotten."""
    if first:
        run(target, f"DELETE FROM {LOADS} WHERE table_name = %s", [table])
    run(
        target,
        f"INSERT INTO {LOADS} VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            table, entry.run_id, entry.mode, entry.source_url, entry.read, entry.rows,
            entry.watermark, entry.loaded_at, entry.replay_of, list(entry.positions),
            list(entry.key or ()),
        ],
    )  # fmt: skip


def follow_key(target: psycopg.Connection[Any], table: str, key: tuple[str, ...]) -> None:
    """Make `key` the primary key of a table that had another one, or none."""
    found = run(
        target,
        "SELECT conname, (SELECT array_agg(attname::text) FROM pg_attribute "
        "WHERE attrelid = conrelid AND attnum = ANY (conkey)) "
        "FROM pg_constraint WHERE conrelid = to_regclass(%s) AND contype = 'p'",
        [quote(table)],
    ).fetchone()
    if found and set(found[1]) == set(key):
        return
    changes = []
    if found:
        changes = [f"DROP CONSTRAINT {quote(found[0])}"]
        changes += [f"ALTER {quote(name)} DROP NOT NULL" for name in found[1]]
    if key:
        changes.append(f"ADD PRIMARY KEY ({columns(key)})")
    if changes:
        run(target, f"ALTER TABLE {quote(table)} {', '.join(changes)}")
