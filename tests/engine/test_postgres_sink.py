"""The PostgreSQL sink, on a real server: the rules of every sink, and what is its own."""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ingest.errors import TargetError
from ingest.loading import Loaded
from ingest.sinks import open_sink
from sink_rules import *  # noqa: F403
from sink_rules import FULL, KEYED, THREE, TWO, UNKEYED, Target, stage

from .conftest import PROJECT
from .postgres import ask


@pytest.fixture
def target(database: str, tmp_path: Path) -> Target:
    return Target(open_sink(database), tmp_path, lambda: ask(database, "SELECT * FROM things"))


def test_the_server_outlives_the_start_of_another_pytest(
    database: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tmp_path_factory.getbasetemp().chmod(0o700)  # which is what that does
    ask(database, "CHECKPOINT")
    assert ask(database, "SELECT 1 AS one") == [{"one": 1}]


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
