"""From judged records to the rows to load: typed, without superseded ones, transformed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb

from ingest.contract import Contract
from ingest.duck import columns, connect, count, literal, quote
from ingest.errors import ContractError, TransformError
from ingest.formats import MAX_RECORD
from ingest.schema import RESERVED, columns_of
from ingest.steps import Judged, Ready

Transform = Callable[["duckdb.DuckDBPyRelation"], "duckdb.DuckDBPyRelation"]
_HERE = "src/data_pipeline/transform.py"


def stage(judged: Judged, contract: Contract, transform: Transform, work: Path) -> Ready:
    """Type the judged records, keep the last of equal keys, transform, and write Parquet.

    Raises ContractError where a value does not fit its column, TransformError where the
    transform fails or its result lacks a sound key.
    """
    with connect(work / "staging.duckdb", work) as connection:
        _read_typed(connection, judged, contract)
        superseded = _drop_superseded(connection, contract)
        records = connection.sql("SELECT * EXCLUDE (_position) FROM staged ORDER BY _position")
        try:
            transform(records).create("transformed")
        except duckdb.Error as error:
            raise TransformError(f"{_HERE} failed: {error}") from error
        names = _check_names(connection, contract)
        _check_key(connection, contract)
        rows = work / "rows.parquet"
        connection.execute(
            f"COPY (SELECT {names} FROM transformed) TO {literal(str(rows))} (FORMAT parquet)"
        )
        return Ready(rows, count(connection, "transformed"), superseded)


def _read_typed(connection: duckdb.DuckDBPyConnection, judged: Judged, contract: Contract) -> None:
    typed = {"_position": "BIGINT", **columns_of(contract.record)}
    shape = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in typed.items())
    try:
        # Dumped text may be longer than what was read: escapes, defaults, computed fields.
        connection.execute(
            f"CREATE TABLE staged AS FROM read_json({literal(str(judged.staged))}, "
            f"format = 'newline_delimited', maximum_object_size = {4 * MAX_RECORD}, "
            "columns = {" + shape + "})"
        )
    except duckdb.Error as error:
        raise ContractError(
            "A value that src/data_pipeline/contract.py accepted does not fit its column: "
            f"{error}. Does a serializer there change a field's type?"
        ) from error


def _drop_superseded(connection: duckdb.DuckDBPyConnection, contract: Contract) -> int:
    """Delete all but the last of the records with equal keys; returns how many."""
    staged = {name.lower() for name in columns_of(contract.record)}
    if not contract.key or not {name.lower() for name in contract.key} <= staged:
        return 0  # no key, or one that the transform makes: checked after it
    before = count(connection, "staged")
    connection.execute(
        "DELETE FROM staged WHERE _position NOT IN "
        f"(SELECT max(_position) FROM staged GROUP BY {columns(contract.key)})"
    )
    return before - count(connection, "staged")


def _check_names(connection: duckdb.DuckDBPyConnection, contract: Contract) -> str:
    """The transformed columns for a SELECT; checks that the table can have them."""
    described = connection.execute("DESCRIBE transformed").fetchall()
    names = {str(row[0]).lower() for row in described}
    if reserved := names & set(RESERVED):
        raise TransformError(
            f"{_HERE} returns the column {min(reserved)}, a name that each load writes itself. "
            "Name it otherwise."
        )
    if missing := [name for name in contract.key if name.lower() not in names]:
        raise TransformError(
            f"{_HERE} returns no column {missing[0]!r}, which is in KEY of "
            f"src/data_pipeline/contract.py. It returns: {', '.join(sorted(names))}."
        )
    # Parquet has no 128-bit integer (what sum() gives) and would make it a float.
    return ", ".join(
        f"{quote(row[0])}::BIGINT AS {quote(row[0])}" if row[1] == "HUGEINT" else quote(row[0])
        for row in described
    )


def _check_key(connection: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    if not contract.key:
        return
    shown = ", ".join(contract.key)
    absent = " OR ".join(f"{quote(name)} IS NULL" for name in contract.key)
    nulls = count(connection, f"transformed WHERE {absent}")
    if nulls:
        raise TransformError(
            f"{nulls:,} rows have no {shown}, which is KEY in src/data_pipeline/contract.py. Make "
            "the field required there, or choose another KEY."
        )
    key = columns(contract.key)
    double = connection.execute(
        f"SELECT {key}, count(*) FROM transformed GROUP BY {key} HAVING count(*) > 1 LIMIT 1"
    ).fetchall()
    if double:
        *values, times = double[0]
        raise TransformError(
            f"{_HERE} returns {times} rows with the same {shown}: {values}. One row for "
            "each key is loaded: group by it, or change KEY in src/data_pipeline/contract.py."
        )
