"""From judged records to the rows to load: without superseded ones, and transformed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from ingest.contract import Contract
from ingest.duck import columns, connect, count, in_passing, literal, quote
from ingest.each import is_each, run_each
from ingest.errors import TransformError
from ingest.lazy import can_be_read, is_cheap, is_of, is_volatile
from ingest.loading import Ready
from ingest.planning import no_such_column
from ingest.room import in_room
from ingest.schema import RESERVED, columns_of
from ingest.steps import Judged, Window

Transform = Callable[[Any], Any]
_HERE = "transform.py"


def stage(
    judged: Judged,
    contract: Contract,
    transform: Transform,
    work: Path,
    window: Window | None = None,
) -> Ready:
    """Keep the last of equal keys and what is in the window, and transform that.

    Raises TransformError where the transform fails or its result lacks a sound key,
    ContractError where the contract names no field for the window, and SpaceError.
    """
    with in_room(work):
        return _stage(judged, contract, transform, work, window or Window())


def _stage(
    judged: Judged, contract: Contract, transform: Transform, work: Path, window: Window
) -> Ready:
    def find_superseded(memory: str) -> int:
        with connect(judged.staging, work, memory) as connection:
            return _find_superseded(connection, contract)

    superseded = in_passing(find_superseded)
    with connect(judged.staging, work) as connection:
        _make_records(connection, contract, window)
        made = _transform(connection, contract, transform, work)
    if made == "view" and not can_be_read(judged.staging, "transformed"):
        with connect(judged.staging, work) as connection:
            connection.execute("DROP VIEW transformed")
            _transform(connection, contract, transform, work, keep=True)
    with connect(judged.staging, work) as connection:
        names = _check_names(connection, contract)
        connection.execute(f"CREATE OR REPLACE VIEW rows AS SELECT {names} FROM transformed")
        try:
            _check_key(connection, contract)
            rows = count(connection, "rows")
        except duckdb.Error as error:
            raise TransformError(f"{_HERE} failed: {error}") from error
        mark = _watermark(connection, contract)
    slow = "one record at a time, in Python" if is_each(transform) else ""
    return Ready(judged.staging, rows, superseded, judged.read, mark, slow)


def _find_superseded(connection: duckdb.DuckDBPyConnection, contract: Contract) -> int:
    """Note all but the last of the records with equal keys; returns how many."""
    connection.execute("CREATE OR REPLACE TABLE superseded (_position BIGINT)")
    staged = {name.lower() for name in columns_of(contract.record)}
    if not contract.key or not {name.lower() for name in contract.key} <= staged:
        return 0  # no key, or one that the transform makes: checked after it
    if len(contract.key) == 1 and _ascends(connection, contract.key[0]):
        return 0
    key = columns(contract.key)
    connection.execute(
        f"CREATE TEMP TABLE doubled AS SELECT {key}, max(_position) AS _position FROM accepted "
        f"GROUP BY {key} HAVING count(*) > 1"
    )
    if count(connection, "doubled"):
        same = " AND ".join(f"a.{quote(n)} IS NOT DISTINCT FROM d.{quote(n)}" for n in contract.key)
        connection.execute(
            "INSERT INTO superseded SELECT a._position FROM accepted AS a JOIN doubled AS d "
            f"ON {same} WHERE a._position < d._position"
        )
    return count(connection, "superseded")


def _ascends(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether each key is above the one before, as in many sources: none comes twice then."""
    key = quote(name)  # looking for doubles takes eight times as long
    return connection.execute(
        "SELECT count(this) = count(*) AND coalesce(bool_and(this > before), true) "
        f"FROM (SELECT {key} AS this, lag({key}) OVER () AS before FROM accepted)"
    ).fetchall()[0][0]


def _make_records(
    connection: duckdb.DuckDBPyConnection, contract: Contract, window: Window
) -> None:
    """The view of what the transform is given."""
    conditions = []
    if count(connection, "superseded"):
        conditions.append("_position NOT IN (SELECT _position FROM superseded)")
    if window.since is not None or window.until is not None:
        name = _watermark_name(contract)
        kind = columns_of(contract.record)[name]
        for bound, sign in ((window.since, ">="), (window.until, "<")):
            if bound is not None:
                condition = f"{quote(name)} {sign} {_as_type(bound, kind)}"
                conditions.append(f"({quote(name)} IS NULL OR {condition})")
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    connection.execute(
        f"CREATE OR REPLACE VIEW records AS SELECT * EXCLUDE (_position) FROM accepted{where}"
    )


def _as_type(bound: str, kind: str) -> str:
    # A moment with an offset is no DATE and no TIMESTAMP, but can become one.
    through = "::TIMESTAMPTZ" if kind in ("DATE", "TIMESTAMP") else ""
    return f"{literal(bound)}{through}::{kind}"


def _watermark_name(contract: Contract) -> str:
    if contract.watermark in columns_of(contract.record):
        return str(contract.watermark)
    raise no_such_column(contract)


def _transform(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    transform: Transform,
    work: Path,
    keep: bool = False,
) -> str:
    """Make `transformed`: a view where that costs nothing, else a table. Says which."""
    records = connection.table("records")
    try:
        if is_each(transform):
            made = run_each(connection, transform, records, work / "each.ndjson")
        else:
            made = transform(records)
        if not isinstance(made, duckdb.DuckDBPyRelation):
            raise TransformError(f"{_HERE} returned {made!r:.80}; it must return a relation.")
        if not is_of(connection, made):
            raise TransformError(
                f"{_HERE} returned a relation that is not made of the records it is given, as those "
                "of duckdb.sql() are. Begin with them: records.project(…), or records.query(…)."
            )
        if not (keep or is_each(transform) or is_volatile(connection, made)):
            made.create_view("transformed")
            if is_cheap(connection, "transformed"):
                return "view"
            connection.execute("DROP VIEW transformed")
        made.create("transformed")
    except duckdb.Error as error:
        raise TransformError(f"{_HERE} failed: {error}") from error
    return "table"


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
            f"contract.py. It returns: {', '.join(sorted(names))}."
        )
    # sum() gives a 128-bit integer, which few targets have.
    return ", ".join(
        f"{quote(row[0])}::BIGINT AS {quote(row[0])}" if row[1] == "HUGEINT" else quote(row[0])
        for row in described
    )


def _check_key(connection: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    if not contract.key or _same_keys(connection, contract.key):
        return
    shown = ", ".join(contract.key)
    absent = " OR ".join(f"{quote(name)} IS NULL" for name in contract.key)
    if nulls := count(connection, f"rows WHERE {absent}"):
        raise TransformError(
            f"{nulls:,} rows have no {shown}, which is KEY in contract.py. Make "
            "the field required there, or choose another KEY."
        )
    key = columns(contract.key)
    double = connection.execute(
        f"SELECT {key}, count(*) FROM rows GROUP BY {key} HAVING count(*) > 1 LIMIT 1"
    ).fetchall()
    if double:
        *values, times = double[0]
        raise TransformError(
            f"{_HERE} returns {times} rows with the same {shown}: {values}. One row for "
            "each key is loaded: group by it, or change KEY in contract.py."
        )


def _same_keys(connection: duckdb.DuckDBPyConnection, key: tuple[str, ...]) -> bool:
    """Whether the rows have the very keys of the records, each of which is there once.

    Sums of 64-bit hashes need no memory, where looking for doubles needs a table of all keys.
    """
    held = {str(row[0]).lower() for row in connection.execute("DESCRIBE records").fetchall()}
    if not {name.lower() for name in key} <= held:
        return False
    names = columns(key)
    whole = " AND ".join(f"{quote(name)} IS NOT NULL" for name in key)
    facts = f"count(*), count(*) FILTER ({whole}), sum(hash({names})), bit_xor(hash(1, {names}))"
    found = [
        connection.execute(f"SELECT {facts} FROM {relation}").fetchall()[0]
        for relation in ("records", "rows")
    ]
    return found[0] == found[1] and found[1][0] == found[1][1]


def _watermark(connection: duckdb.DuckDBPyConnection, contract: Contract) -> str | None:
    if contract.watermark is None:
        return None
    name = quote(_watermark_name(contract))
    # Above a float that is no number, or without an end, nothing would ever be newer.
    is_float = columns_of(contract.record)[_watermark_name(contract)] == "DOUBLE"
    only = f" WHERE isfinite({name})" if is_float else ""
    found = connection.execute(f"SELECT max({name}) FROM records{only}").fetchall()[0][0]
    return (
        None if found is None else found.isoformat() if hasattr(found, "isoformat") else str(found)
    )
