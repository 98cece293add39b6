"""What is the Parquet sink's own: its files."""

import threading
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from sink_rules import FULL, KEYED, TWO, UNKEYED, Target

from ingest.contract import Contract
from ingest.errors import TargetError
from ingest.loading import Loaded
from ingest.sinks import open_sink


@pytest.fixture
def target(tmp_path: Path) -> Target:
    return Target(open_sink(f"parquet:///{tmp_path}/lake"), tmp_path, list)


@pytest.mark.parametrize("contract", [KEYED, UNKEYED])
def test_a_file_of_somebody_else_is_not_touched(
    target: Target, tmp_path: Path, contract: Contract
) -> None:
    path = tmp_path / "lake" / "things.parquet"
    path.parent.mkdir()
    duckdb.sql("SELECT 1 AS id, 'x' AS name").write_parquet(str(path))
    before = path.read_bytes()
    with pytest.raises(TargetError, match="not made by this pipeline"):
        target.bring(TWO, contract)
    assert path.read_bytes() == before


def test_a_file_that_is_no_parquet_is_refused(target: Target, tmp_path: Path) -> None:
    path = tmp_path / "lake" / "things.parquet"
    path.parent.mkdir()
    path.write_text("id,name\n" * 100)
    with pytest.raises(TargetError, match="nothing in it has changed"):
        target.bring(TWO)


@pytest.mark.parametrize("table", ["../things", "a/b", "a\\b", "", ".hidden", "a\nb", "c:d"])
def test_a_name_that_is_no_file_name_is_refused(target: Target, table: str) -> None:
    with pytest.raises(TargetError, match="TABLE"):
        target.bring(TWO, replace(KEYED, table=table))


def test_types_that_parquet_lacks_stay_what_they_became(target: Target, tmp_path: Path) -> None:
    select = """SELECT 1 AS id, sum(n) AS total, 'b'::ENUM('a', 'b') AS choice,
                '2024-01-01'::TIMESTAMP_S AS at, NULL AS nothing
                FROM (VALUES (9007199254740993), (1)) AS t(n)"""
    target.bring(select)
    assert target.bring(select) == Loaded(0, 0, 1)
    found = duckdb.sql(f"SELECT total, choice FROM '{tmp_path}/lake/things.parquet'").fetchall()
    assert found == [(9007199254740994, "b")]
    with pytest.raises(TargetError, match="'totals'.*no 128-bit integer"):
        target.bring("SELECT 1 AS id, [1::HUGEINT] AS totals")


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize(
    "key",
    [
        "n",
        "lpad(n::VARCHAR, 5, '0')",
        "hash(n)",
        "TIMESTAMP_S '2024-01-01 00:00:00' + n * INTERVAL 1 SECOND",
        "(list_value(n % 2, n))::VARCHAR::ENUM({})",
        "n::HUGEINT",
        "[n]",
    ],
)
def test_many_rows_are_joined_in_parts_with_the_same_result(
    target: Target, tmp_path: Path, key: str
) -> None:
    # In another order than that of their texts.
    key = key.format(", ".join(f"'[{n % 2}, {n}]'" for n in range(150)))
    target.bring(f"SELECT {key} AS id, 'a' AS name FROM range(100) t(n)")
    name = "if(n % 2 = 0, 'a', 'b')"
    contract = replace(KEYED, key=("ID",))
    later = f"SELECT {key} AS id, {name} AS name FROM range(50, 150) t(n)"
    assert target.bring(later, contract) == Loaded(inserted=50, updated=25, unchanged=25)
    kept = f"FROM '{tmp_path}/lake/things.parquet'"
    found = duckdb.sql(f"SELECT count(*), count(DISTINCT id), count_if(name = 'b') {kept}")
    assert found.fetchall() == [(150, 150, 50)]


def test_loads_of_one_table_at_the_same_time_queue(target: Target, tmp_path: Path) -> None:
    threads = [
        threading.Thread(target=target.bring, args=(f"SELECT {number} AS id, 'x' AS name",))
        for number in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = duckdb.sql(f"SELECT id FROM '{tmp_path}/lake/things.parquet' ORDER BY id").fetchall()
    assert found == [(0,), (1,), (2,)]


def test_tables_lie_side_by_side_and_nothing_else_does(target: Target, tmp_path: Path) -> None:
    target.bring(TWO, load=FULL)
    target.bring(TWO, replace(KEYED, table="others"), FULL)
    visible = [path.name for path in (tmp_path / "lake").iterdir() if path.name[0] != "."]
    assert sorted(visible) == ["others.parquet", "things.parquet"]
    assert not list((tmp_path / "lake").glob("*.part"))
