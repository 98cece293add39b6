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
from ingest.sinks.staged import check_held_keys, differs, overwritable, same_key, types

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
    """What the new file shall hold, as a subquery, and its new columns; writes to `scratch`."""
    held = types(connection, table)
    # What Parquet makes of a type is what the file will say of it the next time.
    connection.execute(f"COPY (FROM {rows} LIMIT 0) TO {literal(str(scratch))} (FORMAT parquet)")
    kept = types(connection, parquet_table(scratch))
    spelled = {name.lower(): name for name in held}
    sent = {spelled.get(name.lower(), name): kind for name, kind in kept.items()}
    added = new_columns(held, sent, many, contract.table, "delete its file")
    blank = "".join(f", NULL::{kind} AS {quote(name)}" for name, kind in added.items())
    table = f"(SELECT *{blank} FROM {table})"
    check_held_keys(ledger, contract, table, lambda ask: connection.execute(ask).fetchall())
    if not contract.key:
        # By the old file's columns, of which a replacement keeps no row.
        kept_rows = "" if load.mode is Mode.REPLAY else " LIMIT 0"
        return f"((FROM {table}{kept_rows}) UNION ALL BY NAME (FROM {rows}))", list(added)
    take = (
        f"(t.{_THERE} IS NULL OR i.{_THERE} AND ({differs(list(sent))}) AND {overwritable(load)})"
    )
    cells = ", ".join(
        f"CASE WHEN {take} THEN i.{quote(name)} ELSE t.{quote(name)} END AS {quote(name)}"
        if name in sent
        else f"t.{quote(name)}"
        for name in (*held, *added)
    )
    both = (
        f"(SELECT {cells} FROM (SELECT *, true AS {_THERE} FROM {table}) AS t "
        f"FULL JOIN (SELECT *, true AS {_THERE} FROM {rows}) AS i ON {same_key(contract)})"
    )
    return both, list(added)
