"""What is the DuckDB sink's own: the file, its lock, and its other tables."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sink_rules import FULL, KEYED, THREE, TWO, UNKEYED, Target

from ingest import duck
from ingest.contract import Contract
from ingest.errors import TargetError
from ingest.loading import Loaded
from ingest.sinks import key_parts, open_sink


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new folder" / "target.duckdb"


@pytest.fixture
def target(tmp_path: Path, path: Path) -> Target:
    return Target(open_sink(f"duckdb:///{path}"), tmp_path, list)


def ask(path: Path, statement: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path)) as connection:
        return connection.execute(statement).fetchall()


@pytest.mark.parametrize("contract", [KEYED, UNKEYED])
def test_a_table_of_somebody_else_is_not_touched(
    target: Target, path: Path, contract: Contract
) -> None:
    target.bring(TWO)
    ask(path, "CREATE OR REPLACE TABLE things AS SELECT 1 AS id")
    with pytest.raises(TargetError, match="not made by this pipeline"):
        target.bring(TWO, contract)
    assert ask(path, "FROM things") == [(1,)]


def test_the_table_of_the_loads_takes_no_rows(target: Target) -> None:
    with pytest.raises(TargetError, match="Choose another TABLE"):
        target.bring(TWO, replace(KEYED, table="_Blueprint_loads"))


def test_names_are_taken_literally(target: Target, path: Path) -> None:
    contract = replace(KEYED, key=('a "b"; --',), table='drop table "x"')
    select = 'SELECT 1 AS "a ""b""; --", 2 AS "order"'
    target.bring(select, contract)
    again = target.bring(select, contract, replace(FULL, run_id="it's run 2"))
    assert again.unchanged == 1
    assert len(ask(path, 'FROM "drop table ""x"""')) == 1


def test_a_key_may_be_spelled_otherwise_than_its_column(target: Target) -> None:
    contract = replace(KEYED, key=("ID",), table="Things")
    target.bring(TWO)
    assert target.bring(THREE, contract) == Loaded(1, 1, 1)


def test_a_long_load_tells_how_far_it_is(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duck, "LOOK_EVERY", 0.001)
    told: list[float | None] = []
    target.bring(
        "SELECT range AS id, md5(range::VARCHAR) AS name FROM range(1000000)",
        say=lambda text, done=None: told.append(done),
    )
    moved = [done for done in told if done is not None]
    assert told[0] is None and moved == sorted(moved)
    assert any(0 < done < 1 for done in moved)


def test_a_dropped_table_begins_anew(target: Target, path: Path) -> None:
    target.bring(TWO, load=FULL)
    ask(path, "DROP TABLE things")
    assert target.sink.last_load("things") is None
    assert target.bring(TWO, load=FULL) == Loaded(2, 0, 0)
    assert ask(path, "SELECT count(*) FROM _blueprint_loads") == [(1,)]


def test_what_older_versions_loaded_is_taken_over(target: Target, path: Path) -> None:
    path.parent.mkdir()
    ask(
        path, f"CREATE TABLE things AS SELECT *, 'old' AS _run_id, now() AS _loaded_at FROM ({TWO})"
    )
    assert target.sink.last_load("things") is None
    assert target.bring(THREE) == Loaded(1, 1, 1)
    ask(path, "ALTER TABLE _blueprint_loads DROP COLUMN key")  # as version 0.1 made it
    assert target.sink.committed("things", "run-1")
    assert target.bring(THREE) == Loaded(0, 0, 3)
    assert ask(path, "SELECT key FROM _blueprint_loads ORDER BY loaded_at") == [(None,), (["id"],)]


def test_an_older_duckdb_can_open_the_file_and_no_journal_is_left(
    target: Target, path: Path
) -> None:
    target.bring(TWO)
    found = ask(
        path, "SELECT tags['storage_version'] FROM duckdb_databases() WHERE path IS NOT NULL"
    )
    assert found == [("v1.5.0+",)]
    assert not path.with_name("target.duckdb.wal").exists()


@pytest.mark.parametrize("folder", ["plain", "blockchain lock"])
def test_a_file_that_is_no_database_is_refused_and_not_waited_for(
    tmp_path: Path, folder: str
) -> None:
    path = tmp_path / folder / "target.duckdb"
    path.parent.mkdir()
    path.write_text("id,name\n" * 4000)
    said: list[str] = []
    target = Target(open_sink(str(path)), tmp_path, list)
    with pytest.raises(TargetError, match="Cannot open the target"):
        target.bring(TWO, say=said.append)
    assert said == []


HOLDER = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


def test_a_locked_target_is_waited_for_and_its_holder_named(target: Target, path: Path) -> None:
    target.bring(TWO)
    said: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout and holder.stdin
        holder.stdout.readline()
        with pytest.raises(TargetError, match=rf"still in use by .*PID {holder.pid}.*Close it"):
            target.bring(TWO, patience=0)

        def say(text: str) -> None:
            said.append(text)
            if holder.stdin and not holder.stdin.closed:
                holder.stdin.close()

        assert target.bring(TWO, say=say).unchanged == 2
    assert "in use by" in said[0] and f"PID {holder.pid}" in said[0]


def test_loads_at_the_same_time_in_one_process_queue(target: Target, path: Path) -> None:
    def bring(number: int) -> None:
        target.bring(f"SELECT {number} AS id, 'x' AS name")

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(bring, range(4)))
    assert ask(path, "SELECT id FROM things ORDER BY id") == [(0,), (1,), (2,), (3,)]


# Of rows in the order of `n`: a key that DuckDB can and that it cannot divide into ranges.
ORDERED = {
    "ascending": "n",
    "descending": "1000 - n",
    "text": "'it''s ' || lpad(n::VARCHAR, 5, '0')",
    "moment": "TIMESTAMPTZ '2024-01-01 00:00:00+02' + n * INTERVAL 1 HOUR",
    "decimal": "n::DECIMAL(18, 2) / 3",
    "bytes": "encode('\\' || chr(0) || lpad(n::VARCHAR, 5, '0'))",
    "uuid": "lpad(n::VARCHAR, 32, '0')::UUID",
    "length of time": "n * INTERVAL 1 HOUR",
}
MIXED = {
    "hashed": "hash(n)",
    "zones": "n + 500 * (n % 3)",
    "list": "[n]",
    "no number": "if(n = 60, 'nan'::DOUBLE, n * 77 % 151)",
}


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("key", [*ORDERED.values(), *MIXED.values()], ids=[*ORDERED, *MIXED])
def test_many_rows_are_merged_in_parts_with_the_same_result(
    target: Target, path: Path, key: str
) -> None:
    target.bring(f"SELECT {key} AS id, 'a' AS name FROM range(100) t(n)")
    name = "if(n % 2 = 0, 'a', 'b')"
    later = f"SELECT {key} AS id, {name} AS name FROM range(50, 150) t(n)"
    assert target.bring(later) == Loaded(inserted=50, updated=25, unchanged=25)
    found = ask(path, "SELECT count(*), count(DISTINCT id), count_if(name = 'b') FROM things")
    assert found == [(150, 150, 50)]


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("first", ["1", "n // 50", "n % 3"])
def test_a_key_of_several_columns_is_divided_by_one_that_can_be(
    target: Target, path: Path, first: str
) -> None:
    contract = replace(KEYED, key=("shop", "id"))
    keys = f"SELECT {first} AS shop, n AS id"
    target.bring(f"{keys}, 'a' AS name FROM range(100) t(n)", contract)
    later = f"{keys}, if(n < 60, 'a', 'b') AS name FROM range(110) t(n)"
    assert target.bring(later, contract) == Loaded(inserted=10, updated=40, unchanged=60)
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE rows AS {keys} FROM range(100) t(n)")
        found = key_parts.key_parts(connection, "rows", "rows", contract, 100)
    assert len(found) == 15 and all('t."id"' in part("t") for part in found)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("key", [*ORDERED, *MIXED])
def test_each_row_is_in_one_part_and_those_in_order_in_a_small_one(key: str) -> None:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            f"CREATE TABLE rows AS SELECT {(ORDERED | MIXED)[key]} AS id FROM range(100) t(n)"
        )
        parts = key_parts.key_parts(connection, "rows", "rows", KEYED, 100)
        sizes = [duck.count(connection, f"rows WHERE {part('rows')}") for part in parts]
    assert sum(sizes) == 100
    assert (max(sizes) <= 7 and len(sizes) == 15) if key in ORDERED else len(sizes) == 4
