"""A load is all or nothing, and the same load twice changes nothing."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pydantic import BaseModel

from ingest.contract import Contract
from ingest.errors import TargetError
from ingest.steps import Loaded
from ingest.warehouse import load

KEYED = Contract(BaseModel, ("id",), "things")
UNKEYED = Contract(BaseModel, (), "things")


def bring(
    folder: Path, select: str, run: str = "run-1", contract: Contract = KEYED, **options: Any
) -> Loaded:
    """Load what a SELECT gives."""
    rows = folder / "rows.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({select}) TO '{rows}' (FORMAT parquet)")
    return load(rows, folder / "new folder" / "target.duckdb", contract, run, **options)


def held(folder: Path, select: str = "FROM things ORDER BY ALL") -> list[tuple[Any, ...]]:
    with duckdb.connect(str(folder / "new folder" / "target.duckdb")) as connection:
        return connection.execute(select).fetchall()


TWO = "SELECT * FROM (VALUES (1, 'a'), (2, NULL)) AS t(id, name)"


def test_the_same_rows_twice_change_nothing(tmp_path: Path) -> None:
    assert bring(tmp_path, TWO) == Loaded(2, 0, 0)
    before = held(tmp_path)
    assert bring(tmp_path, TWO, "run-2") == Loaded(0, 0, 2)
    assert held(tmp_path) == before
    assert {row[2] for row in before} == {"run-1"}


def test_only_what_differs_is_updated(tmp_path: Path) -> None:
    bring(tmp_path, TWO)
    later = "SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (3, 'c')) AS t(id, name)"
    assert bring(tmp_path, later, "run-2") == Loaded(inserted=1, updated=1, unchanged=1)
    assert held(tmp_path, "SELECT id, name, _run_id FROM things ORDER BY id") == [
        (1, "a", "run-1"),
        (2, "b", "run-2"),
        (3, "c", "run-2"),
    ]


def test_nested_values_are_compared_too(tmp_path: Path) -> None:
    nested = "SELECT 1 AS id, [{'n': 1, 'm': MAP {'k': 1}}] AS items, '[]'::JSON AS j"
    bring(tmp_path, nested)
    assert bring(tmp_path, nested).unchanged == 1
    assert bring(tmp_path, nested.replace("'k': 1", "'k': 2")).updated == 1


def test_a_new_column_is_added_and_a_missing_one_is_left_alone(tmp_path: Path) -> None:
    bring(tmp_path, TWO)
    assert bring(tmp_path, "SELECT 1 AS id, {'x': 1} AS more") == Loaded(0, 1, 0)
    assert held(tmp_path, "SELECT name, more FROM things ORDER BY id") == [
        ("a", {"x": 1}),
        (None, None),
    ]


def test_a_changed_type_is_refused_with_what_to_do(tmp_path: Path) -> None:
    bring(tmp_path, TWO)
    with pytest.raises(TargetError, match="'name' of the table things is VARCHAR.*DROP TABLE"):
        bring(tmp_path, "SELECT 1 AS id, 5 AS name, 1 AS extra")
    assert len(held(tmp_path, "DESCRIBE things")) == 4


def test_without_a_key_the_table_is_replaced(tmp_path: Path) -> None:
    bring(tmp_path, TWO, contract=UNKEYED)
    assert bring(tmp_path, "SELECT 7 AS other", contract=UNKEYED) == Loaded(1, 0, 0)
    assert held(tmp_path, "SELECT other FROM things") == [(7,)]


def test_nothing_never_replaces_a_table(tmp_path: Path) -> None:
    bring(tmp_path, TWO, contract=UNKEYED)
    with pytest.raises(TargetError, match="would empty the table"):
        bring(tmp_path, f"{TWO} LIMIT 0", contract=UNKEYED)
    assert len(held(tmp_path)) == 2


@pytest.mark.parametrize("contract", [KEYED, UNKEYED])
def test_a_table_of_somebody_else_is_not_touched(tmp_path: Path, contract: Contract) -> None:
    bring(tmp_path, TWO)
    held(tmp_path, "CREATE OR REPLACE TABLE things AS SELECT 1 AS id")
    with pytest.raises(TargetError, match="not made by this pipeline"):
        bring(tmp_path, TWO, contract=contract)
    assert held(tmp_path) == [(1,)]


def test_names_are_taken_literally(tmp_path: Path) -> None:
    contract = Contract(BaseModel, ('a "b"; --',), 'drop table "x"')
    select = 'SELECT 1 AS "a ""b""; --", 2 AS "order"'
    bring(tmp_path, select, contract=contract)
    assert bring(tmp_path, select, "it's run 2", contract=contract).unchanged == 1


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "new folder").mkdir()
    (tmp_path / "new folder" / "target.duckdb").write_text("id,name\n" * 4000)
    with pytest.raises(TargetError, match="Cannot open the target"):
        bring(tmp_path, TWO)


HOLDER = """
import duckdb, sys, time
connection = duckdb.connect(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


def test_a_locked_target_is_waited_for(tmp_path: Path) -> None:
    bring(tmp_path, TWO)
    path = tmp_path / "new folder" / "target.duckdb"
    said: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout and holder.stdin
        holder.stdout.readline()
        with pytest.raises(TargetError, match="still in use by"):
            bring(tmp_path, TWO, patience=0)

        def say(text: str) -> None:
            said.append(text)
            if holder.stdin and not holder.stdin.closed:
                holder.stdin.close()

        assert bring(tmp_path, TWO, say=say).unchanged == 2
    assert said and "in use by" in said[0]


def test_a_broken_target_is_not_waited_for_whatever_its_path_says(tmp_path: Path) -> None:
    folder = tmp_path / "blockchain lock"
    target = folder / "new folder" / "target.duckdb"
    target.parent.mkdir(parents=True)
    target.write_bytes(b"not a database" * 1000)
    said: list[str] = []
    with pytest.raises(TargetError, match="Cannot open the target"):
        bring(folder, TWO, say=said.append)
    assert said == []
