"""Load rows into PostgreSQL, by COPY and in one transaction.

Readers of a table are never blocked by its load, except for a moment where a column is added.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import duckdb

from ingest.contract import Contract
from ingest.duck import columns, connect, literal, quote
from ingest.errors import TargetError
from ingest.loading import LastLoad, Load, Loaded, Mode, Ready
from ingest.sinks.base import LINEAGE, PATIENCE, Say, Waiting, check_table_name, new_columns, silent
from ingest.sinks.ledger import LOADS, Entry, Ledger
from ingest.sinks.postgres_copy import Rows
from ingest.sinks.postgres_locks import lock, named_waits
from ingest.sinks.postgres_tables import follow_key, held, make_ledger, note, read_ledger, run
from ingest.sinks.postgres_types import postgres_types
from ingest.sinks.staged import (
    attach_staging,
    check_filled,
    check_held_keys,
    load_error,
    never_lacking,
    overwritable,
    upsert,
)

if TYPE_CHECKING:
    import psycopg

_SORT_MEMORY = "256MB"
_INCOMING = "_blueprint_incoming"
# Elsewhere in an address, "@" is written %40: else a part of a password may look like a host.
_HOST = r"(?:\[[\da-fA-F:.]+\]|[^/@?#:,]*)(?::\d+)?"
_ADDRESS = re.compile(
    rf"postgres(?:ql)?://(?:([^/@?#:]*)(?::[^/@?#]*)?@)?({_HOST}(?:,{_HOST})*)"
    r"(/[^/@?#]*)?(?:\?[^#@]*)?"
)


class PostgresSink:
    """A PostgreSQL database, of version 14 or newer.

    `say` hears of waiting for it while its loads are looked up.
    """

    def __init__(self, target: str, say: Say = silent) -> None:
        match = _ADDRESS.fullmatch(target)
        if not match:
            raise TargetError(
                "The target is no PostgreSQL address of the form "
                "postgresql://user@host:5432/database. In a user or password, write / as %2F, "
                "@ as %40, : as %3A; better, leave the password to PGPASSWORD or ~/.pgpass."
            )
        user, host, database = match.groups()
        self.shown = f"postgresql://{user + '@' if user else ''}{host}{database or ''}"
        self._address, self._say = target, say

    def last_load(self, table: str) -> LastLoad | None:
        return self._look_up(table).last()

    def committed(self, table: str, run_id: str) -> bool:
        return self._look_up(table).committed(run_id)

    def replayed(self, table: str, run_id: str) -> frozenset[int]:
        return self._look_up(table).replayed(run_id)

    def load(
        self,
        ready: Ready,
        contract: Contract,
        load: Load,
        say: Say = silent,
        patience: float = PATIENCE,
    ) -> Loaded:
        """See Sink.load."""
        check_table_name(contract.table)
        postgres_types({contract.table: "VARCHAR"})
        csv = ready.staging.parent / "rows.csv"
        waiting = Waiting(f"The table {contract.table} of {self.shown}", say, patience)
        with (
            self._connected() as target,
            self._explained(f"Loading the table {contract.table} of", ready),
            connect(Path(":memory:"), csv.parent) as connection,
        ):
            with target.transaction(), named_waits(target, self._connected, waiting):
                make_ledger(target)
            with target.transaction():
                lock(target, contract.table, waiting)
                source = Rows(connection, attach_staging(connection, ready), csv, say)
                with named_waits(target, self._connected, waiting):
                    return _load(target, source, ready, contract, load)

    def _look_up(self, table: str) -> Ledger:
        waiting = Waiting(f"The table {LOADS} of {self.shown}", self._say, PATIENCE)
        with (
            self._connected() as target,
            self._explained("Reading the loads of"),
            target.transaction(),
            named_waits(target, self._connected, waiting),
        ):
            return read_ledger(target, table)

    @contextmanager
    def _connected(self) -> Generator[psycopg.Connection[Any], None, None]:
        try:
            import psycopg
        except ImportError:
            raise TargetError(
                "PostgreSQL needs the extra `postgres`, which is not installed. In pyproject.toml, "
                'under [tool.blueprint], write extras = ["postgres"], then run: python3 bootstrap.py'
            ) from None
        try:
            connection = psycopg.connect(
                self._address, autocommit=True, prepare_threshold=None, **self._options()
            )
        except psycopg.Error as error:
            raise TargetError(
                f"Cannot connect to {self.shown}: {self._without_secret(str(error))}\n"
                "Is the server up, and are user and password right (PGPASSWORD, ~/.pgpass)?"
            ) from None
        with connection:
            run(connection, "SET TimeZone = 'UTC'")
            yield connection

    def _options(self) -> dict[str, Any]:
        """What the address may say otherwise."""
        ours = {
            "connect_timeout": 10,
            "application_name": "data pipeline",
            "client_encoding": "utf8",
        }
        return {name: value for name, value in ours.items() if f"{name}=" not in self._address}

    def _without_secret(self, message: str) -> str:
        """libpq's message, which may repeat what it could not read of the address."""
        secrets = re.findall(r"://[^/@?#:]*:([^/@?#]+)@|[?&]\w*password=([^&]+)", self._address)
        for secret in filter(None, (part for pair in secrets for part in pair)):
            message = message.replace(secret, "…").replace(unquote(secret), "…")
        return message.strip()

    @contextmanager
    def _explained(self, doing: str, ready: Ready | None = None) -> Generator[None, None, None]:
        import psycopg

        try:
            yield
        except (psycopg.Error, duckdb.Error) as error:
            raise load_error(f"{doing} {self.shown}", error, ready) from error


def _load(
    target: psycopg.Connection[Any], source: Rows, ready: Ready, contract: Contract, load: Load
) -> Loaded:
    """Write rows and ledger, in a transaction that is open."""
    ledger = read_ledger(target, contract.table)
    if ledger.committed(load.run_id):
        return Loaded(0, 0, ready.count)
    entry = ledger.next_entry(ready, contract, load)
    table, present = quote(contract.table), held(target, contract.table)
    incoming = source.types(entry)
    # PostgreSQL's names differ by case, and DuckDB, which checked the key, knows no case.
    spelled = {name.lower(): name for name in incoming}
    contract = replace(contract, key=tuple(spelled[name.lower()] for name in contract.key))
    added = new_columns(present, incoming, ready.count, contract.table, f"DROP TABLE {table}")
    for name, kind in added.items():
        run(target, f"ALTER TABLE {table} ADD COLUMN {quote(name)} {kind}")

    never = never_lacking(added, contract, source.table, source.ask)
    if present and ledger.has_other_key(contract):
        check_held_keys(ledger, contract, table, lambda ask: run(target, ask).fetchall())
        follow_key(target, contract.table, contract.key)
    if present and not contract.key and load.mode is not Mode.REPLAY:
        # Unlike TRUNCATE, this takes the old rows from no reader before the commit.
        run(target, f"DELETE FROM {table}")
    loaded = Loaded(ready.count, 0, 0)
    if not present:
        _create(target, table, source, incoming, entry, contract)
    elif not ready.count:
        pass
    elif contract.key and run(target, f"SELECT FROM {table} LIMIT 1").fetchone() is not None:
        defined = _definitions(incoming, entry)
        run(target, f"CREATE TEMP TABLE {_INCOMING} ({defined}) ON COMMIT DROP")
        loaded = _merge(target, source, incoming, ready.count, contract, overwritable(load))
    else:
        source.copy(target, table, contract.key, entry)
    check_filled(never, contract, table, lambda ask: run(target, ask).fetchall())
    note(target, contract.table, entry, first=not ledger.entries)
    return loaded


def _create(
    target: psycopg.Connection[Any],
    table: str,
    source: Rows,
    incoming: dict[str, str],
    entry: Entry,
    contract: Contract,
) -> None:
    """Make the table with its rows: faster than to fill it where it has an index."""
    run(target, f"CREATE TABLE {table} ({_definitions(incoming, entry)})")
    source.copy(target, table, contract.key)
    changes = [f"ALTER {quote(name)} DROP DEFAULT" for name in LINEAGE]
    if contract.key:
        run(target, f"SET LOCAL maintenance_work_mem = '{_SORT_MEMORY}'")
        changes.append(f"ADD PRIMARY KEY ({columns(contract.key)})")
    run(target, f"ALTER TABLE {table} {', '.join(changes)}")


def _merge(
    target: psycopg.Connection[Any],
    source: Rows,
    incoming: dict[str, str],
    of: int,
    contract: Contract,
    overwritable: str,
) -> Loaded:
    source.copy(target, _INCOMING, contract.key)
    # ON CONFLICT would lock, and so write, each row that is left alone.
    run(target, f"ANALYZE {_INCOMING}")
    statements = upsert(quote(contract.table), _INCOMING, list(incoming), contract, overwritable)
    updated, inserted = (run(target, statement).rowcount for statement in statements)
    return Loaded(inserted, updated, of - inserted - updated)


def _definitions(incoming: dict[str, str], entry: Entry) -> str:
    """The columns of a new table. Who loads it is its default, which COPY need not be sent."""
    ours = {"_run_id": entry.run_id, "_loaded_at": entry.loaded_at.isoformat()}
    return ", ".join(
        f"{quote(name)} {kind}" + (f" DEFAULT {literal(ours[name])}" if name in ours else "")
        for name, kind in incoming.items()
    )
