"""How rows get from DuckDB into PostgreSQL: as CSV, by COPY."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from ingest.duck import columns, literal, quote
from ingest.errors import TargetError
from ingest.sinks.base import Say
from ingest.sinks.ledger import Entry
from ingest.sinks.postgres_types import NESTED, postgres_types
from ingest.sinks.staged import asking, types, with_lineage

if TYPE_CHECKING:
    import psycopg

_CHUNK = 1024 * 1024  # bytes of CSV sent at once


class Rows:
    """The incoming rows, on their way to COPY. `ask` asks DuckDB, for which they are `table`."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, source: str, csv: Path, say: Say
    ) -> None:
        self._connection, self.table, self._csv, self._say = connection, source, csv, say
        self.ask = asking(connection)

    def types(self, entry: Entry) -> dict[str, str]:
        """PostgreSQL's types of the columns, with the lineage columns."""
        return postgres_types(types(self._connection, with_lineage(self.table, entry)))

    def copy(
        self,
        target: psycopg.Connection[Any],
        table: str,
        key: tuple[str, ...],
        entry: Entry | None = None,
    ) -> None:
        """Send all rows into the table, with the lineage columns where there is an `entry`.

        Raises TargetError where a text holds a NUL character.
        """
        import psycopg

        rows = with_lineage(self.table, entry) if entry else self.table
        incoming = types(self._connection, rows)
        try:
            _write_csv(self._connection, rows, incoming, self._csv)
            self._send(target, f"COPY {table} ({columns(tuple(incoming))}) FROM STDIN (FORMAT csv)")
        except (psycopg.errors.CharacterNotInRepertoire, psycopg.errors.UntranslatableCharacter):
            where = _nul_character(self._connection, rows, incoming, key)
            if not where:
                raise
            raise TargetError(
                f"PostgreSQL holds no NUL character, and there is one in {where}; nothing was "
                "loaded. Refuse such records in contract.py, or take the "
                "character out in transform.py: replace(text, chr(0), '')."
            ) from None
        finally:
            self._csv.unlink(missing_ok=True)

    def _send(self, target: psycopg.Connection[Any], statement: str) -> None:
        size, sent = self._csv.stat().st_size, 0
        with (
            self._csv.open("rb") as file,
            target.cursor() as cursor,
            cursor.copy(statement.encode()) as copy,
        ):
            while chunk := file.read(_CHUNK):
                copy.write(chunk)
                sent += len(chunk)
                self._say(f"Sent {sent / 1e6:,.1f} of {size / 1e6:,.1f} MB to PostgreSQL")


def _write_csv(
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
    if NESTED.match(kind):
        return f"to_json({name}) AS {name}"
    return name


def _nul_character(
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
        elif kind == "JSON" or NESTED.match(kind):
            # \u0000, but not the text \\u0000.
            holds = rf"regexp_matches(to_json({quote(name)})::VARCHAR, '(^|[^\\])(\\\\)*\\u0000')"
        else:
            continue
        found = connection.execute(f"SELECT {shown_key or 1} FROM {rows} WHERE {holds} LIMIT 1")
        if row := found.fetchone():
            named = ", ".join(f"{part} = {value!r}" for part, value in zip(key, row, strict=False))
            return f"the column {name!r}" + (f" of the row with {named}" if named else "")
    return None
