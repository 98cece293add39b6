"""In which parts rows are merged by key, so that a part's join needs little memory."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import duckdb

from ingest.contract import Contract
from ingest.duck import at_least, columns, number, quote

Part = Callable[[str], str]  # gives the condition that a row, which is called so, is in the part

# Rows of a part that lies together, which the memory of any load is enough for; and of one that
# lies anywhere, for which the whole table is read each time.
_TOGETHER, _ANYWHERE = 250_000, 1_000_000
_MEMORY = "500MB"
_SAMPLE = 20_000  # rows, of which the bounds are taken
_MIXED = 1000  # of so many rows one may come before the row that it follows
_NESTED = re.compile(r"\[|^(STRUCT|MAP|UNION|VARIANT)\b")  # in which DuckDB looks for no range


def key_parts(
    connection: duckdb.DuckDBPyConnection, table: str, rows: str, contract: Contract, fewer: int
) -> list[Part]:
    """Parts by which each row of the two is in one, with all that have its key.

    fewer: how many rows that one has which has fewer.

    Where both sides come by a key's order, or against it, a part is a range of that key: what
    lies elsewhere is passed over unread. Otherwise there are fewer parts, and more memory.
    """
    if fewer <= _TOGETHER:
        return [lambda row: "true"]
    parts = -(-fewer // _TOGETHER)
    for key in map(quote, contract.key):
        ordered = all(_is_ordered(connection, source, key) for source in (rows, table))
        if ordered and _bounds(connection, rows, key, parts) == parts - 1:
            return [partial(_in_range, key, part, parts) for part in range(parts)]
    at_least(connection, _MEMORY)
    parts = -(-fewer // _ANYWHERE)
    return [partial(_hashed, contract.key, part, parts) for part in range(parts)]


def _is_ordered(connection: duckdb.DuckDBPyConnection, source: str, key: str) -> bool:
    kind = connection.execute(f"SELECT typeof({key}) FROM {source} LIMIT 1").fetchall()[0][0]
    if _NESTED.search(kind):
        return False
    up, down = connection.execute(
        "SELECT count(*) FILTER (this > before), count(*) FILTER (this < before) "
        f"FROM (SELECT {key} AS this, lag({key}) OVER () AS before FROM {source})"
    ).fetchall()[0]
    return min(up, down) * _MIXED <= max(up, down)


def _bounds(connection: duckdb.DuckDBPyConnection, rows: str, key: str, parts: int) -> int:
    """Let DuckDB's variable hold the keys at which one part ends and the next begins: so many."""
    shares = [part / parts for part in range(1, parts)]
    connection.execute(
        f"SET VARIABLE bounds = (SELECT list_sort(list_distinct(quantile_disc(key, {shares}))) "
        f"FROM (SELECT {key} AS key FROM {rows} USING SAMPLE {_SAMPLE} ROWS))"
    )
    return number(connection, "SELECT len(getvariable('bounds'))")


def _in_range(key: str, part: int, parts: int, row: str) -> str:
    above = f"{row}.{key} >= getvariable('bounds')[{part}]" if part else "true"
    below = f"{row}.{key} < getvariable('bounds')[{part + 1}]" if part + 1 < parts else "true"
    return f"{above} AND {below}"


def _hashed(names: tuple[str, ...], part: int, parts: int, row: str) -> str:
    return f"hash({columns(names, f'{row}.')}) % {parts} = {part}"
