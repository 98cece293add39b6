"""A load into PostgreSQL waits for who has what it needs, says for whom, and then fails."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ingest.errors import TargetError
from ingest.loading import Loaded
from ingest.say import silent
from ingest.sinks import open_sink
from ingest.sinks.base import Waiting
from ingest.sinks.postgres_locks import named_waits
from sink_rules import THREE, TWO, Target

from .postgres import ask


@pytest.fixture
def target(database: str, tmp_path: Path) -> Target:
    return Target(open_sink(database), tmp_path, lambda: ask(database, "SELECT * FROM things"))


class Other:
    """Another session, which lets go of what it has once somebody is said to wait for it."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.waits: list[str] = []
        self._connection = connection

    def say(self, text: str, done: float | None = None) -> None:
        if text.startswith("Waiting"):
            self.waits.append(text)
            self._connection.rollback()


@contextmanager
def had(database: str, statement: str) -> Iterator[Other]:
    """Another session has what the statement takes."""
    with psycopg.connect(database, application_name="a nightly report") as connection:
        connection.execute(statement.encode())
        yield Other(connection)


@pytest.mark.parametrize("exists", [True, False])
def test_whoever_has_the_table_is_waited_for_and_named(
    target: Target, database: str, exists: bool
) -> None:
    if exists:
        target.bring(TWO)
    number = "hashtextextended('blueprint load: ' || current_schema() || '.things', 0)"
    lock = f"SELECT pg_advisory_xact_lock({number})"
    with had(database, "LOCK TABLE things IN ROW EXCLUSIVE MODE" if exists else lock) as other:
        with pytest.raises(TargetError, match="still in use by a nightly report"):
            target.bring(TWO, patience=0)
        target.bring(TWO, say=other.say)
    assert "a nightly report of the user postgres (PID " in other.waits[0]


@pytest.mark.parametrize(
    "has",
    [
        "SELECT FROM things WHERE id = 2 FOR UPDATE",
        "LOCK TABLE _blueprint_loads IN SHARE MODE",
        # A reader, which a new column waits for.
        "SELECT FROM things",
    ],
)
def test_whoever_has_a_row_or_the_loads_is_waited_for_and_named(
    target: Target, database: str, has: str
) -> None:
    target.bring(TWO)
    more = f"SELECT *, 7 AS more FROM ({THREE})"
    with had(database, has) as other:
        with pytest.raises(TargetError, match="still in use by a nightly report of the user"):
            target.bring(more, patience=0)
        assert set(target.rows()[0]) == {"id", "name", "_run_id", "_loaded_at"}
        assert target.bring(more, say=other.say) == Loaded(1, 2, 0)
    assert "a nightly report of the user postgres (PID " in other.waits[0]


def test_whoever_keeps_the_loads_from_being_looked_up_is_named(
    target: Target, database: str
) -> None:
    target.bring(TWO)
    with had(database, "LOCK TABLE _blueprint_loads") as other:
        last = open_sink(database, say=other.say).last_load("things")
    assert last is not None and last.run_id == "run-1"
    assert "_blueprint_loads" in other.waits[0]
    assert "in use by a nightly report" in other.waits[0]


def test_patience_is_for_all_waits_together(target: Target, database: str) -> None:
    target.bring(TWO)
    with ExitStack() as stack:
        holders = {}
        for number in (1, 2):
            name = f"session {number}"
            connection = psycopg.connect(database, application_name=name)
            holders[name] = stack.enter_context(connection)
            connection.execute("SELECT FROM things WHERE id = %s FOR UPDATE", [number])

        def say(text: str) -> None:
            # Once half of the patience is gone, the first that is waited for lets go of its row.
            named = re.search(r"in use by (session \d).*\(3 of 6 s\)", text)
            if named and len(holders) == 2:
                holders.pop(named[1]).rollback()

        with pytest.raises(TargetError, match=r"in use by session \d .* after [678] s") as told:
            target.bring(f"SELECT id, 'new' AS name FROM ({TWO})", say=say, patience=6)
        assert next(iter(holders)) in str(told.value) and len(holders) == 1
    assert target.held() == [(1, "a"), (2, None)]


def test_what_a_load_takes_without_a_wait_is_no_patience_spent(database: str) -> None:
    ask(database, "CREATE TABLE things ()")
    with (
        had(database, "LOCK TABLE things") as other,
        psycopg.connect(database, autocommit=True) as connection,
        connection.transaction(),
        named_waits(
            connection,
            lambda: psycopg.connect(database, autocommit=True),
            Waiting("it", other.say, 2),
        ),
    ):
        connection.execute("SELECT pg_sleep(4)")  # a long load, twice as long as patience
        connection.execute("SELECT FROM things")
    assert "(0 of 2 s)" in other.waits[0] or "(1 of 2 s)" in other.waits[0]


def test_a_load_waits_for_no_connection_that_only_tells(database: str) -> None:
    # A pooler of one connection lets the second in when the first is done.
    asked, done = threading.Event(), threading.Event()

    @contextmanager
    def pooled() -> Iterator[Any]:
        asked.set()
        done.wait()
        with psycopg.connect(database) as connection:
            yield connection

    with psycopg.connect(database, autocommit=True) as connection:
        with (
            connection.transaction(),
            named_waits(connection, pooled, Waiting("it", silent, 60)),
        ):
            assert asked.wait(60)
            connection.execute("CREATE TABLE made ()")
        done.set()
        assert connection.execute("SELECT count(*) FROM made").fetchone() == (0,)
