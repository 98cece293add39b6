"""Which rows a table's new Parquet file holds, as SQL: the old file's with those of the load."""

from __future__ import annotations

from pathlib import Path

import duckdb

from ingest.contract import Contract
from ingest.duck import at_least, count, literal, parquet_table, quote
from ingest.errors import TargetError
from ingest.loading import Load, Mode, Ready
from ingest.sinks.base import new_columns
from ingest.sinks.key_parts import Part, key_parts
from ingest.sinks.ledger import Ledger
from ingest.sinks.staged import (
    asking,
    check_held_keys,
    differs,
    never_lacking,
    overwritable,
    same_key,
    types,
)

_THERE = "_blueprint_there"
_MEMORY = "300MB"  # for the join of a part, both sides of which are unpacked from their files


def storable(connection: duckdb.DuckDBPyConnection, incoming: str) -> str:
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


def joined(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    rows: str,
    ready: Ready,
    scratch: Path,
    contract: Contract,
    load: Load,
    ledger: Ledger,
) -> tuple[str, list[str]]:
    """What the new file shall hold, as may stand behind FROM; which new columns never lack a value.

    Writes to `scratch`, and into the folder of the staging file.
    """
    held, ask = types(connection, table), asking(connection)
    sent = _sent(connection, rows, scratch, held)
    added = new_columns(held, sent, ready.count, contract.table, "delete its file")
    never = never_lacking(added, contract, rows, ask)
    blank = "".join(f", NULL::{kind} AS {quote(name)}" for name, kind in added.items())
    table = f"(SELECT *{blank} FROM {table})"
    check_held_keys(ledger, contract, table, ask)
    # By the old file's columns, of which a replacement keeps no row.
    there = table if contract.key or load.mode is Mode.REPLAY else f"(FROM {table} LIMIT 0)"
    if not ready.count:
        return there, []
    if not contract.key:
        return f"((FROM {there}) UNION ALL BY NAME (FROM {rows}))", never
    incoming = _with_kept_keys(connection, rows, contract, sent)
    take = (
        f"(t.{_THERE} IS NULL OR i.{_THERE} AND ({differs(list(sent))}) AND {overwritable(load)})"
    )
    cells = ", ".join(
        f"CASE WHEN {take} THEN i.{quote(name)} ELSE t.{quote(name)} END AS {quote(name)}"
        for name in (*held, *added)
    )
    fewer = min(ready.count, count(connection, table))
    parts = [
        _both(cells, table, incoming, part, contract)
        for part in key_parts(connection, table, incoming, contract, fewer)
    ]
    return _one_after_another(connection, parts, ready.staging.parent), never


def _both(cells: str, table: str, incoming: str, part: Part, contract: Contract) -> str:
    return (
        f"(SELECT {cells} FROM "
        f"(SELECT *, true AS {_THERE} FROM {table} AS t WHERE {part('t')}) AS t FULL JOIN "
        f"(SELECT *, true AS {_THERE} FROM {incoming} AS i WHERE {part('i')}) AS i "
        f"ON {same_key(contract)})"
    )


def _with_kept_keys(
    connection: duckdb.DuckDBPyConnection, rows: str, contract: Contract, sent: dict[str, str]
) -> str:
    """The rows with keys of the types that a file has: an ENUM has another order and hash there."""
    kinds = {name.lower(): kind for name, kind in sent.items()}
    keys = {name.lower() for name in contract.key}
    names = [name for name in types(connection, rows) if name.lower() in keys]
    casts = [f"{quote(name)}::{kinds[name.lower()]} AS {quote(name)}" for name in names]
    return f"(SELECT * REPLACE ({', '.join(casts)}) FROM {rows})"


def _one_after_another(connection: duckdb.DuckDBPyConnection, parts: list[str], work: Path) -> str:
    """The parts as what may stand behind FROM; several are kept, or all would run side by side."""
    if len(parts) == 1:
        return parts[0]
    at_least(connection, _MEMORY)
    path = work / "joined.duckdb"
    path.unlink(missing_ok=True)  # of an attempt with less memory
    connection.execute(f"ATTACH {literal(str(path))} AS joined")
    connection.execute(f"CREATE TABLE joined.main.rows AS FROM {parts[0]}")
    for part in parts[1:]:
        connection.execute(f"INSERT INTO joined.main.rows FROM {part}")
    return "joined.main.rows"


def _sent(
    connection: duckdb.DuckDBPyConnection, rows: str, scratch: Path, held: dict[str, str]
) -> dict[str, str]:
    """The columns of the rows, spelled as the table's, with the types they have in a file."""
    connection.execute(f"COPY (FROM {rows} LIMIT 0) TO {literal(str(scratch))} (FORMAT parquet)")
    spelled = {name.lower(): name for name in held}
    kept = types(connection, parquet_table(scratch))
    return {spelled.get(name.lower(), name): kind for name, kind in kept.items()}
