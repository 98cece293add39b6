"""Which of PostgreSQL's types holds which of DuckDB's."""

from __future__ import annotations

import re

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
NESTED = re.compile(r"(STRUCT|MAP|UNION|LIST)\(|.*\[\d*\]$", re.DOTALL)


def postgres_types(incoming: dict[str, str]) -> dict[str, str]:
    """The columns with PostgreSQL's types. Raises TargetError for what it cannot hold."""
    found = {}
    for name, kind in incoming.items():
        if len(name.encode()) > _MAX_NAME:
            raise TargetError(
                f"The column {name!r} has a longer name than PostgreSQL takes, {_MAX_NAME} bytes. "
                "Rename it in transform.py."
            )
        found[name] = _postgres_type(name, kind)
    return found


def _postgres_type(name: str, kind: str) -> str:
    if kind in _TYPES:
        return _TYPES[kind]
    if NESTED.match(kind):
        return "jsonb"
    if kind.startswith("DECIMAL("):
        return "numeric" + kind.removeprefix("DECIMAL")
    if kind.startswith("ENUM("):
        return "text"
    raise TargetError(
        f"The column {name!r} is {kind}, which PostgreSQL has no type for. Cast it in "
        "transform.py, to VARCHAR perhaps."
    )
