"""Whether what a transform returned may stay a view, which is run again by each who reads it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import duckdb

from ingest.duck import literal

# A transform of only these is as cheap to run twice as its result is to keep.
_CHEAP = {
    *("PROJECTION", "FILTER", "READ_PARQUET", "HASH_JOIN", "EMPTY_RESULT", "DUMMY_SCAN"),
    "SEQ_SCAN",
}
# Other names for functions of the time, of which DuckDB's list tells nothing.
_MOMENTS = {"age", "ago", "current_time", "current_timestamp", "localtime", "localtimestamp"}


def is_volatile(connection: duckdb.DuckDBPyConnection, made: duckdb.DuckDBPyRelation) -> bool:
    """Whether it may give other rows when it is run again, as with random() or now().

    The keys that were checked would then be none of the rows that are loaded.
    """
    listed = connection.execute(
        "SELECT DISTINCT function_name FROM duckdb_functions() WHERE stability <> 'CONSISTENT'"
    ).fetchall()
    names = "|".join(re.escape(name) for name in _MOMENTS.union(*listed))
    # It may be made of views of its own. Some are called without parentheses: current_date.
    views = connection.execute("SELECT sql FROM duckdb_views() WHERE NOT internal").fetchall()
    called = rf'\b(?:{names})"?\s*\(|\bcurrent_date\b|\bcurrent_time|\blocaltime'
    statements = [made.sql_query(), *(str(sql) for (sql,) in views)]
    return any(re.search(called, one, re.IGNORECASE) for one in statements)


def is_cheap(connection: duckdb.DuckDBPyConnection, view: str) -> bool:
    """Whether to run the view again costs no more than to keep what it gives."""
    plan = connection.execute(f"EXPLAIN (FORMAT json) FROM {view}").fetchall()[0][1]

    def names(node: dict[str, Any]) -> set[str]:
        found = {str(node["name"]).strip()}
        return found.union(*(names(child) for child in node["children"]))

    return set().union(*(names(node) for node in json.loads(plan))) <= _CHEAP


def can_be_read(staging: Path, view: str) -> bool:
    """Whether the view means something without the connection in which it was made."""
    with duckdb.connect() as other:
        other.execute(f"ATTACH {literal(str(staging))} AS staging (READ_ONLY)")
        try:
            other.execute(f"DESCRIBE staging.{view}").fetchall()
        except duckdb.Error:
            return False
    return True


def is_of(connection: duckdb.DuckDBPyConnection, made: duckdb.DuckDBPyRelation) -> bool:
    """Whether the relation was made in this connection; one of another cannot be joined to it."""
    try:
        connection.sql("SELECT 1").cross(made)
    except duckdb.InvalidInputException:
        return False
    return True
