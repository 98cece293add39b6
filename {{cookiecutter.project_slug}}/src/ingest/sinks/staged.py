"""The incoming rows as SQL: what the sinks that speak SQL have in common.

In a condition, `t` is a row of the table and `i` an incoming one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import duckdb

from ingest.contract import Contract
from ingest.duck import columns, connect, literal, quote
from ingest.errors import PipelineError, TargetError, TransformError
from ingest.loading import Load, Mode, Ready
from ingest.schema import never_null
from ingest.sinks.base import LINEAGE
from ingest.sinks.ledger import Entry, Ledger

Ask = Callable[[str], Sequence[Sequence[Any]]]  # gives what a SELECT finds


def asking(connection: duckdb.DuckDBPyConnection) -> Ask:
    """What asks DuckDB."""
    return lambda select: connection.execute(select).fetchall()


def overwritable(load: Load) -> str:
    """The condition under which a row `t` of the table may be overwritten.

    A replayed row is newer only if the watermark says so. Who wrote a row does not tell: the
    run itself, or a later one, may have brought it again and left it alone as unchanged.
    """
    if load.mode is not Mode.REPLAY:
        return "true"
    if load.newer_by is None:
        return "false"
    return f"i.{quote(load.newer_by)} > t.{quote(load.newer_by)}"


def attach_staging(connection: duckdb.DuckDBPyConnection, ready: Ready) -> str:
    """Attach the staging file to read; gives what stands behind FROM for its rows."""
    # By the name under which it was made: its views may be written with it.
    name = quote(ready.staging.stem)
    connection.execute(f"ATTACH {literal(str(ready.staging))} AS {name} (READ_ONLY)")
    # Rows have no order, and to keep one costs memory.
    connection.execute("SET preserve_insertion_order = false")
    return f'{name}.main."rows"'


def load_error(what: str, error: Exception, ready: Ready | None = None) -> PipelineError:
    """What an error in `what`, such as "Loading the table t of …", is to be raised as.

    A view of the rows is run only here: what fails without the target too is transform.py's fault.
    """
    if ready and isinstance(error, duckdb.Error) and not isinstance(error, duckdb.OperationalError):
        with connect(Path(":memory:"), ready.staging.parent) as connection:
            rows = attach_staging(connection, ready)
            try:
                connection.execute(f"SELECT bit_xor(hash(COLUMNS(*))) FROM {rows}").fetchall()
            except duckdb.Error as found:
                reason = str(found).partition("\n\nLINE ")[0]  # of a statement that nobody wrote
                return TransformError(
                    f"transform.py failed on a value: {reason}\nNothing in the target has changed. "
                    "Mend transform.py: TRY_CAST makes null of what cannot be cast."
                )
    return TargetError(f"{what} failed, and nothing in it has changed: {error}")


def check_held_keys(ledger: Ledger, contract: Contract, table: str, ask: Ask) -> None:
    """Raises TargetError where the rows of a `table` of another KEY are no rows of this one's."""
    if not contract.key or not ledger.has_other_key(contract):
        return
    key = columns(contract.key)
    absent = " OR ".join(f"{quote(name)} IS NULL" for name in contract.key)
    if found := ask(
        f"SELECT {key}, count(*) FROM {table} GROUP BY {key} HAVING count(*) > 1 OR {absent} LIMIT 1"
    ):
        *values, times = found[0]
        raise TargetError(
            f"The table {contract.table} was not loaded by the KEY {', '.join(contract.key)} until "
            f"now, and {times:,} of its rows have the value {', '.join(map(str, values))} there; a "
            "KEY is never null and names one row. Set KEY in contract.py as it was, or choose "
            "another TABLE, or drop the table and load it anew."
        )


def never_lacking(added: Iterable[str], contract: Contract, incoming: str, ask: Ask) -> list[str]:
    """Those of a table's new columns that no incoming row lacks, and by the contract none may."""
    never = {name.lower() for name in never_null(contract.record)}
    names = [name for name in added if name.lower() in never]
    return [
        name
        for name in names
        if not ask(f"SELECT 1 FROM {incoming} WHERE {quote(name)} IS NULL LIMIT 1")
    ]


def check_filled(never: Sequence[str], contract: Contract, table: str, ask: Ask) -> None:
    """Raises TargetError where rows of a loaded `table` lack one of the columns `never_lacking`."""
    for name in never:
        rows = ask(f"SELECT count(*) FROM {table} WHERE {quote(name)} IS NULL")[0][0]
        if rows:
            raise TargetError(
                f"{name!r} is a new column, and never null in contract.py, but {rows:,} rows of the "
                f"table {contract.table} did not come again and lack it. Make it an optional field (None is "
                "its default), or choose another TABLE, or drop the table and load it anew."
            )


def with_lineage(incoming: str, entry: Entry) -> str:
    """The incoming rows as a subquery, with the columns that say who loaded them, and when."""
    at = f"{literal(entry.loaded_at.isoformat())}::TIMESTAMPTZ"
    return f"(SELECT *, {literal(entry.run_id)} AS _run_id, {at} AS _loaded_at FROM {incoming})"


def differs(names: list[str]) -> str:
    """The condition that the rows `t` and `i` differ in one of these columns."""
    # Who loaded a row, and when, is no difference.
    compared = [quote(name) for name in names if name not in LINEAGE]
    return " OR ".join(f"t.{name} IS DISTINCT FROM i.{name}" for name in compared) or "false"


def types(connection: duckdb.DuckDBPyConnection, source: str) -> dict[str, str]:
    """The columns of what may stand behind FROM, with their types."""
    found = connection.execute(f"DESCRIBE FROM {source}").fetchall()
    return {str(row[0]): str(row[1]) for row in found}


def same_key(contract: Contract) -> str:
    """The condition that the rows `t` and `i` have the same key."""
    return " AND ".join(f"t.{quote(name)} = i.{quote(name)}" for name in contract.key)


def upsert(
    table: str, incoming: str, names: list[str], contract: Contract, overwritable: str
) -> tuple[str, str]:
    """The UPDATE and the INSERT that bring the rows of one table into another.

    They are one step only where nobody else writes to the table in between.
    """
    values = [name for name in names if name not in contract.key]
    changes = ", ".join(f"{quote(name)} = i.{quote(name)}" for name in values)
    listed, key = columns(tuple(names)), same_key(contract)
    update = (
        f"UPDATE {table} AS t SET {changes} FROM {incoming} AS i "
        f"WHERE {key} AND ({differs(values)}) AND {overwritable}"
    )
    insert = (
        f"INSERT INTO {table} ({listed}) SELECT {listed} FROM {incoming} AS i "
        f"WHERE NOT EXISTS (SELECT 1 FROM {table} AS t WHERE {key})"
    )
    return update, insert
