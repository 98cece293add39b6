"""The SQLite file of a server that this project starts: it shrinks when rows are deleted.

Prefect deletes what is old and leaves the file as large as it ever was. A file that is made, or
once rewritten, with `auto_vacuum = incremental` gives its free pages back in small steps, each
of some milliseconds, so that a server at work is not kept waiting.

Before a server starts, the time in which it was away is also taken out of what it waits for.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from blueprint import show

_INCREMENTAL = 2
_PAGES = 256  # given back in one step: 1 MB
_BUSY = 5.0  # seconds to wait for a lock
_PATIENCE = 20  # seconds for the server to delete the logs of deleted runs
_LARGE = 500_000_000
_START = 60  # seconds that a server may take until it hears of anything
_SOON = 300  # seconds in which a run that goes on gives a sign of life to a server that is back

# The time until which an automation waits for an event lies in the database as a bucket (Prefect's
# server/events/triggers.py). What ran out while the server was away would fire at once, although
# the sign of life was lost with the server; `within` is the trigger's own patience in seconds.
_WAIT_ANEW = f"""
UPDATE automation_bucket SET "end" = strftime('%Y-%m-%d %H:%M:%f000', 'now', (
    SELECT '+' || (json_extract(one.value, '$.within') + {_START}) || ' seconds'
    FROM automation, json_tree(automation."trigger") AS one
    WHERE automation.id = automation_id AND one.type = 'object'
    AND json_extract(one.value, '$.id') = trigger_id
))
WHERE "end" < strftime('%Y-%m-%d %H:%M:%f000', 'now', '+{_SOON} seconds') AND EXISTS (
    SELECT 1 FROM automation, json_tree(automation."trigger") AS one
    WHERE automation.id = automation_id AND one.type = 'object'
    AND json_extract(one.value, '$.id') = trigger_id
    AND json_extract(one.value, '$.posture') = 'Proactive'
)
"""


def path() -> Path | None:
    """The database of the server that is started here; None where it is not SQLite's."""
    from prefect.settings import get_current_settings
    from sqlalchemy import make_url

    secret = get_current_settings().server.database.connection_url
    if secret is None:
        return None
    url = make_url(secret.get_secret_value())
    if not url.drivername.startswith("sqlite") or not url.database or ":memory:" in url.database:
        return None
    return Path(url.database)


def prepare() -> None:
    """Before the server is started: have its database give back what it does not need, and its
    automations wait anew for what they would have heard while no server was there.

    A database that is there and does not give back is rewritten once.
    """
    file = path()
    if file is None:
        return
    with suppress(sqlite3.Error), _opened(file) as database:
        database.execute(_WAIT_ANEW)  # a database that is new has no such table yet
    # One that another process is at work in is left for the next time.
    with suppress(sqlite3.Error), _opened(file) as database:
        if _ask(database, "auto_vacuum") == _INCREMENTAL:
            return
        if file.stat().st_size > _LARGE:
            show.doing(f"rewriting {file.name} once, so that it can shrink; this takes a while")
        database.execute(f"PRAGMA auto_vacuum = {_INCREMENTAL}")
        database.execute("VACUUM")


def shrink(awaited: bool) -> tuple[int, int]:
    """Give free pages back; the file's bytes before and after, 0 where there is none.

    awaited: whether rows are just being deleted, so that pages get free for some seconds more.
    """
    file = path()
    if file is None or not file.exists():
        return 0, 0
    before, end = file.stat().st_size, time.monotonic() + _PATIENCE
    with suppress(sqlite3.Error), _opened(file) as database:
        idle = 0
        while idle < 3:
            freed = _give_back(database)
            idle = 0 if freed else idle + 1
            if not awaited or time.monotonic() > end:
                break
            time.sleep(0.5)
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return before, file.stat().st_size


def _give_back(database: sqlite3.Connection) -> int:
    free = there = _ask(database, "freelist_count")
    while free:
        database.execute(f"PRAGMA incremental_vacuum({_PAGES})").fetchall()
        left = _ask(database, "freelist_count")
        if left >= free:  # it was not prepared
            break
        free = left
    return there - free


def _ask(database: sqlite3.Connection, name: str) -> int:
    return int(database.execute(f"PRAGMA {name}").fetchone()[0])


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(file, timeout=_BUSY, isolation_level=None)) as database:
        yield database
