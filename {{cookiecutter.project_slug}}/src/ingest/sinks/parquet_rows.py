"""Which rows a table's new Parquet file holds, as SQL: the old file's with those of the load."""

from __future__ import annotations

from pathlib import Path

import duckdb

from ingest.contract import Contract
from ingest.duck import literal, parquet_table, quote
from ingest.errors import TargetError
from ingest.loading import Load, Mode
from ingest.sinks.base import new_columns
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
    many: int,
    scratch: Path,
    contract: Contract,
    load: Load,
    ledger: Ledger,
) -> tuple[str, list[str]]:
    """What the new file shall hold, as a subquery, and which new columns never lack a value.

    Writes to `scratch`.
    """
    held, ask = types(connection, table), asking(connection)
    sent = _sent(connection, rows, scratch, held)
    added = new_columns(held, sent, many, contract.table, "delete its file")
    never = never_lacking(added, contract, rows, ask)
    blank = "".join(f", NULL::{kind} AS {quote(name)}" for name, kind in added.items())
    table = f"(SELECT *{blank} FROM {table})"
    check_held_keys(ledger, contract, table, ask)
    # By the old file's columns, of which a replacement keeps no row.
    there = table if contract.key or load.mode is Mode.REPLAY else f"(FROM {table} LIMIT 0)"
    if not many:
        return there, []
    if not contract.key:
        return f"((FROM {there}) UNION ALL BY NAME (FROM {rows}))", never
    take = (
        f"(t.{_THERE} IS NULL OR i.{_THERE} AND ({differs(list(sent))}) AND {overwritable(load)})"
    )
    cells = ", ".join(
        f"CASE WHEN {take} THEN i.{quote(name)} ELSE t.{quote(name)} END AS {quote(name)}"
        for name in (*held, *added)
    )
    both = (
        f"(SELECT {cells} FROM (SELECT *, true AS {_THERE} FROM {table}) AS t "
        f"FULL JOIN (SELECT *, true AS {_THERE} FROM {rows}) AS i ON {same_key(contract)})"
    )
    return both, never


def _sent(
    connection: duckdb.DuckDBPyConnection, rows: str, scratch: Path, held: dict[str, str]
) -> dict[str, str]:
    """The columns of the rows, spelled as the table's, with the types they have in a file."""
    connection.execute(f"COPY (FROM {rows} LIMIT 0) TO {literal(str(scratch))} (FORMAT parquet)")
    spelled = {name.lower(): name for name in held}
    kept = types(connection, parquet_table(scratch))
    return {spelled.get(name.lower(), name): kind for name, kind in kept.items()}
