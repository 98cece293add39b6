"""Waiting for whoever has a PostgreSQL table, a row of it, or the table of the loads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from ingest.duck import quote
from ingest.errors import TargetError
from ingest.sinks.base import PAUSE, Waiting
from ingest.sinks.postgres_tables import NUMBER, held, run

if TYPE_CHECKING:
    import psycopg

    _Connected = Callable[[], AbstractContextManager[psycopg.Connection[Any]]]

_LOCK_TRY = "300ms"  # longer than that, and it is said who is waited for
_LEAST = 2_000  # milliseconds in which it can be asked who is waited for
_SOMEBODY = "another session"


def lock(target: psycopg.Connection[Any], table: str, waiting: Waiting) -> None:
    """Keep every other writer from the table until the transaction ends; wait for one there is.

    Raises TargetError when that takes too long.
    """
    import psycopg

    # By a number, since a table that is yet to be made cannot be locked.
    while not _first(target, f"SELECT pg_try_advisory_xact_lock({NUMBER})", [table]):
        waiting.pause(_holder(target, f"{_BY_NUMBER} = {NUMBER}", table))
    while held(target, table):
        try:
            with target.transaction():
                run(target, f"SET LOCAL lock_timeout = '{_LOCK_TRY}'")
                run(target, f"LOCK TABLE {quote(table)} IN SHARE ROW EXCLUSIVE MODE")
            break
        except psycopg.errors.LockNotAvailable:
            waiting.pause(_holder(target, _BY_TABLE, quote(table)))


@contextmanager
def named_waits(
    target: psycopg.Connection[Any], connected: _Connected, waiting: Waiting
) -> Generator[None, None, None]:
    """While the statements within, of one transaction, wait for a lock, say whose it is.

    The table's lock keeps no row, no reader and not the table of the loads. A statement that
    waits cannot ask, so another connection does, opened by `connected` where it takes longer
    than a moment. Raises TargetError when patience ends.
    """
    import psycopg

    run(target, f"SET LOCAL lock_timeout = '{max(_LEAST, int(waiting.left() * 1000))}ms'")
    onlooker = _Onlooker(target, connected, waiting)
    looking = threading.Thread(target=onlooker.look, daemon=True)
    looking.start()
    try:
        yield
    except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled) as error:
        if isinstance(error, psycopg.errors.QueryCanceled) and not onlooker.has_ended_it:
            raise
        raise waiting.given_up(onlooker.holder) from error
    finally:
        onlooker.over.set()
        # A pooler may let it in only after this transaction.
        looking.join(PAUSE)


class _Onlooker:
    """Sees from another connection who keeps `target` waiting, until it is `over`."""

    def __init__(
        self, target: psycopg.Connection[Any], connected: _Connected, waiting: Waiting
    ) -> None:
        self.over = threading.Event()
        self.holder = _SOMEBODY
        self.has_ended_it = False
        self._target, self._connected, self._waiting = target, connected, waiting

    def look(self) -> None:
        """Tell of each wait, and end the one in which patience does."""
        import psycopg

        seen = time.monotonic()
        if self.over.wait(PAUSE):
            return
        # Who it is, is not worth a failure.
        with suppress(psycopg.Error, TargetError), self._connected() as other:
            while not self.over.is_set():
                found = run(other, _BLOCKER, [self._target.info.backend_pid]).fetchone()
                before, seen = seen, time.monotonic()
                if found:
                    self._tell(_named(found))
                else:  # it loads, which may take longer than patience is
                    self._waiting.leave_out(seen - before)
                self.over.wait(PAUSE)

    def _tell(self, holder: str) -> None:
        self.holder = holder
        self._waiting.tell(holder)
        if not self._waiting.left() and not self.has_ended_it:
            # The server's own timeout begins anew with each lock.
            self.has_ended_it = True
            self._target.cancel_safe()


_BY_NUMBER = (
    "l.locktype = 'advisory' AND l.objsubid = 1 AND (l.classid::bigint << 32 | l.objid::bigint)"
)
_BY_TABLE = "l.mode NOT IN ('AccessShareLock', 'RowShareLock') AND l.relation = to_regclass(%s)"


# What blocks a session costs the server a moment of all locks: asked only while it waits.
_BLOCKER = (
    "SELECT a.application_name, a.usename, a.pid FROM pg_stat_activity me "
    "CROSS JOIN LATERAL unnest(pg_blocking_pids(me.pid)) AS of (pid) "
    "JOIN pg_stat_activity a ON a.pid = of.pid WHERE me.pid = %s AND me.wait_event_type = 'Lock'"
)


def _holder(target: psycopg.Connection[Any], which: str, value: str) -> str:
    found = run(
        target,
        "SELECT a.application_name, a.usename, a.pid FROM pg_locks l JOIN pg_stat_activity a "
        "USING (pid) WHERE l.granted AND a.pid <> pg_backend_pid() "
        f"AND a.datname = current_database() AND {which}",
        [value],
    ).fetchone()
    return _named(found) if found else _SOMEBODY  # gone meanwhile


def _named(session: Sequence[Any]) -> str:
    name, user, pid = session
    return f"{name or 'a session'} of the user {user} (PID {pid} in pg_stat_activity)"


def _first(target: psycopg.Connection[Any], statement: str, values: Sequence[Any]) -> Any:
    row = run(target, statement, values).fetchone()
    return row[0] if row else None
