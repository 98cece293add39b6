"""The accepted records on their way to the next step: Parquet files, and a view over them."""

from __future__ import annotations

import glob
from pathlib import Path

import duckdb

from ingest.duck import PASSING_PARQUET, connect, literal, quote
from ingest.errors import ContractError
from ingest.gate.sql import structure


def write(
    cursor: duckdb.DuckDBPyConnection,
    columns: dict[str, str],
    positions: list[int],
    lines: str,
    part: Path,
) -> None:
    """Write records that Pydantic accepted, a line of JSON for each, into the file `part`.

    Raises ContractError where a value does not fit its column.
    """
    fields = "".join(f", r.{quote(name)} AS {quote(name)}" for name in columns)
    try:
        cursor.execute(
            f"COPY (SELECT _position, NULL::VARCHAR AS _raw{fields} FROM (SELECT "
            f"unnest(string_split($positions, ',')::BIGINT[]) AS _position, json_transform_strict("
            f"unnest(string_split($lines, chr(10))), {structure(columns)}) AS r)) "
            f"TO {literal(str(part))} {PASSING_PARQUET}",
            # A list of numbers as a parameter takes a tenth of a millisecond for each.
            {"positions": ",".join(map(str, positions)), "lines": lines},
        )
    except duckdb.IOException:  # such as a full disk
        raise
    except duckdb.Error as error:
        raise ContractError(
            "A value that contract.py accepted does not fit its column: "
            f"{error}. Does a serializer there change a field's type?"
        ) from error


def staged(parts: Path, columns: dict[str, str], work: Path) -> Path:
    """A DuckDB file in which the parts are the view `accepted`."""
    path = work / "staging.duckdb"
    typed = "".join(f", {quote(name)}::{kind} AS {quote(name)}" for name, kind in columns.items())
    if any(parts.iterdir()):
        files = literal(str(Path(glob.escape(str(parts))) / "*.parquet"))
        table = f"read_parquet({files}, hive_partitioning = false)"
        body = f"SELECT _position{typed} FROM {table} WHERE _raw IS NULL"
    else:
        empty = "".join(f", NULL::{kind} AS {quote(name)}" for name, kind in columns.items())
        body = f"SELECT 0::BIGINT AS _position{empty} WHERE false"
    with connect(path, work) as connection:
        connection.execute(f"CREATE OR REPLACE VIEW accepted AS {body}")
    return path
