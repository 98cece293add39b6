"""Judged records become typed rows, one for each key."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pydantic import AwareDatetime, BaseModel, Field

from ingest.contract import Contract
from ingest.errors import ContractError, TransformError
from ingest.staging import Transform, stage
from ingest.steps import Judged, Ready


class Record(BaseModel):
    id: int
    unit_price: Decimal | None = Field(default=None, decimal_places=2, alias='the "price"')
    at: AwareDatetime | None = None
    tags: dict[str, int] = {}


def as_is(records: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    return records


def staged(
    folder: Path, lines: list[str], key: tuple[str, ...] = ("id",), transform: Transform = as_is
) -> Ready:
    path = folder / "staged.ndjson"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    judged = Judged(path, len(lines), 0, (), (), None, "")
    return stage(judged, Contract(Record, key, "things"), transform, folder)


def rows(ready: Ready, columns: str = "*") -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        return connection.execute(f"SELECT {columns} FROM '{ready.rows}'").fetchall()


def test_values_arrive_with_their_types(tmp_path: Path) -> None:
    line = (
        '{"_position":1,"id":1,"the \\"price\\"":"1.10","at":"2024-05-01T02:00:00+02:00",'
        '"tags":{"a":1}}'
    )
    at = datetime(2024, 5, 1, tzinfo=UTC)
    assert rows(staged(tmp_path, [line])) == [(1, Decimal("1.10"), at, {"a": 1})]


def test_the_last_of_equal_keys_wins(tmp_path: Path) -> None:
    lines = [
        json.dumps({"_position": place, "id": place % 2, "tags": {"place": place}})
        for place in range(1, 6)
    ]
    ready = staged(tmp_path, lines)
    assert (ready.count, ready.duplicates) == (2, 3)
    assert rows(ready, "tags['place']") == [(4,), (5,)]


def test_without_a_key_every_record_is_a_row(tmp_path: Path) -> None:
    ready = staged(tmp_path, ['{"_position":1,"id":1}', '{"_position":2,"id":1}'], key=())
    assert (ready.count, ready.duplicates) == (2, 0)


def test_no_record_gives_no_row(tmp_path: Path) -> None:
    assert staged(tmp_path, []).count == 0


def test_a_sum_stays_a_whole_number(tmp_path: Path) -> None:
    ready = staged(
        tmp_path,
        ['{"_position":1,"id":1}'],
        transform=lambda records: records.aggregate("id, sum(id) AS total", "id"),
    )
    assert rows(ready, "typeof(total)") == [("BIGINT",)]


@pytest.mark.parametrize(
    ("projection", "says"),
    [
        ("id, missing AS x", "transform.py failed.*missing"),
        ("tags", "returns no column 'id'"),
        ("1 AS id, tags", r"2 rows with the same id: \[1\]"),
        ("nullif(id, 1) AS id", "1 rows have no id"),
        ("id, 1 AS _run_id", "column _run_id"),
    ],
)
def test_a_transform_that_cannot_be_loaded_says_why(
    tmp_path: Path, projection: str, says: str
) -> None:
    lines = ['{"_position":1,"id":1}', '{"_position":2,"id":2}']
    with pytest.raises(TransformError, match=says):
        staged(tmp_path, lines, transform=lambda records: records.project(projection))


def test_a_value_of_another_type_is_the_contracts_fault(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="does not fit its column"):
        staged(tmp_path, ['{"_position":1,"id":"one"}'])
