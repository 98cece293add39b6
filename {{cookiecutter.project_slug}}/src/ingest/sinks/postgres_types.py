"""How DuckDB's values reach PostgreSQL: its types, and the CSV that COPY takes."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb

from ingest.duck import literal, quote
from ingest.errors import TargetError

_MAX_NAME = 63  # bytes: PostgreSQL cuts a longer name in silence
# As PostgreSQL's format_type() writes them, so that a table's own types compare with them.
_TYPES = {
    "BOOLEAN": "boolean",
    "TINYINT": "smallint",
    "UTINYINT": "smallint",
    "SMALLINT": "smallint",
    "USMALLINT": "integer",
    "INTEGER": "integer",
    "UINTEGER": "bigint",
    "BIGINT": "bigint",
    "UBIGINT": "numeric(20,0)",
    "HUGEINT": "numeric(39,0)",
    "UHUGEINT": "numeric(39,0)",
    "BIGNUM": "numeric",
    "FLOAT": "real",
    "DOUBLE": "double precision",
    "VARCHAR": "text",
    "BLOB": "bytea",
    "UUID": "uuid",
    "DATE": "date",
    "TIME": "time without time zone",
    "TIME WITH TIME ZONE": "time with time zone",
    "TIMESTAMP": "timestamp without time zone",
    "TIMESTAMP_S": "timestamp without time zone",
    "TIMESTAMP_MS": "timestamp without time zone",
    "TIMESTAMP_NS": "timestamp without time zone",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
    "INTERVAL": "interval",
    "BIT": "bit varying",
    "JSON": "jsonb",
    '"NULL"': "text",
}
_NESTED = re.compile(r"(STRUCT|MAP|UNION|LIST)\(|.*\[\d*\]$", re.DOTALL)


def postgres_types(incoming: dict[str, str]) -> dict[str, str]:
    """The columns with PostgreSQL's types. Raises TargetError for what it cannot hold."""
    found = {}
    for name, kind in incoming.items():
        if len(name.encode()) > _MAX_NAME:
            raise TargetError(
                f"The column {name!r} has a longer name than PostgreSQL takes, {_MAX_NAME} bytes. "
                "Rename it in src/data_pipeline/transform.py."
            )
        found[name] = _postgres_type(name, kind)
    return found


def _postgres_type(name: str, kind: str) -> str:
    if kind in _TYPES:
        return _TYPES[kind]
    if _NESTED.match(kind):
        return "jsonb"
    if kind.startswith("DECIMAL("):
        return "numeric" + kind.removeprefix("DECIMAL")
    if kind.startswith("ENUM("):
        return "text"
    raise TargetError(
        f"The column {name!r} is {kind}, which PostgreSQL has no type for. Cast it in "
        "src/data_pipeline/transform.py, to VARCHAR perhaps."
    )


def write_csv(
    connection: duckdb.DuckDBPyConnection, rows: str, incoming: dict[str, str], path: Path
) -> None:
    """Write the rows as the CSV that COPY takes: an empty field is NULL, "" an empty text."""
    cells = ", ".join(_cell(quote(name), kind) for name, kind in incoming.items())
    connection.execute(
        f"COPY (SELECT {cells} FROM {rows}) TO {literal(str(path))} (FORMAT csv, HEADER false)"
    )


def _cell(name: str, kind: str) -> str:
    if kind == "BLOB":
        return f"'\\x' || hex({name}) AS {name}"
    if _NESTED.match(kind):
        return f"to_json({name}) AS {name}"
    return name


def nul_character(
    connection: duckdb.DuckDBPyConnection,
    rows: str,
    incoming: dict[str, str],
    key: tuple[str, ...],
) -> str | None:
    """Where the rows hold a NUL character, in words; None where they hold none."""
    shown_key = ", ".join(quote(name) for name in key)
    for name, kind in incoming.items():
        if kind == "VARCHAR":
            holds = f"contains({quote(name)}, chr(0))"
        elif kind == "JSON" or _NESTED.match(kind):
            # \u0000, but not the text \\u0000.
            holds = rf"regexp_matches(to_json({quote(name)})::VARCHAR, '(^|[^\\])(\\\\)*\\u0000')"
        else:
            continue
        found = connection.execute(f"SELECT {shown_key or 1} FROM {rows} WHERE {holds} LIMIT 1")
        if row := found.fetchone():
            named = ", ".join(f"{part} = {value!r}" for part, value in zip(key, row, strict=False))
            return f"the column {name!r}" + (f" of the row with {named}" if named else "")
    return None
