"""Judged records become typed rows, one for each key."""

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pydantic import AwareDatetime, BaseModel, Field, create_model, field_serializer

from ingest.contract import Contract
from ingest.each import each_record
from ingest.errors import ContractError, TransformError
from ingest.formats import Format
from ingest.gate import judge
from ingest.loading import Ready
from ingest.staging import Transform, stage
from ingest.steps import Limits, SourceFile, Step, Window


class Record(BaseModel):
    id: int
    unit_price: Decimal | None = Field(default=None, decimal_places=2, alias='the "price"')
    at: AwareDatetime | None = None
    tags: dict[str, int] = {}


def as_is(records: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    return records


def staged(
    folder: Path,
    lines: list[str],
    key: tuple[str, ...] = ("id",),
    transform: Transform = as_is,
    record: type[BaseModel] = Record,
    window: Window | None = None,
) -> Ready:
    folder.mkdir(exist_ok=True)
    path = folder / "source"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    source = SourceFile(path, Format.NDJSON, "the source", path.stat().st_size)
    contract = Contract(record, key, "things", watermark="at")
    step = Step(2, Limits(0.0), folder / "quarantine", "run-1")
    judged = judge(source, contract, step, folder)
    return stage(judged, contract, transform, folder, window)


def rows(ready: Ready, columns: str = "*") -> list[tuple[Any, ...]]:
    """What a sink finds, which opens the file anew."""
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{ready.staging}' AS staging (READ_ONLY)")
        return connection.execute(f"SELECT {columns} FROM staging.rows").fetchall()


def test_values_arrive_with_their_types(tmp_path: Path) -> None:
    line = '{"id":1,"the \\"price\\"":"1.10","at":"2024-05-01T02:00:00+02:00","tags":{"a":1}}'
    at = datetime(2024, 5, 1, tzinfo=UTC)
    assert rows(staged(tmp_path, [line])) == [(1, Decimal("1.10"), at, {"a": 1})]


def test_the_last_of_equal_keys_wins(tmp_path: Path) -> None:
    lines = [json.dumps({"id": place % 2, "tags": {"place": place}}) for place in range(1, 6)]
    ready = staged(tmp_path, lines)
    assert (ready.count, ready.duplicates) == (2, 3)
    assert sorted(rows(ready, "tags['place']")) == [(4,), (5,)]


@pytest.mark.parametrize(
    ("keys", "kept"),
    [((1, 2, 3), 3), ((3, 2, 1), 3), ((1, 2, 2), 2), ((2, 1, 2), 2), ((1, 3, 2, 1), 3), ((), 0)],
)
def test_in_whatever_order_keys_come_each_is_one_row(
    tmp_path: Path, keys: tuple[int, ...], kept: int
) -> None:
    ready = staged(tmp_path, [json.dumps({"id": key}) for key in keys])
    assert (ready.count, ready.duplicates) == (kept, len(keys) - kept)


@pytest.mark.parametrize("name", ["this", "before", "Before"])
def test_a_key_may_have_any_name(tmp_path: Path, name: str) -> None:
    fields: dict[str, Any] = {name: (int, ...), "at": (AwareDatetime | None, None)}
    lines = [json.dumps({name: key}) for key in (1, 2, 2)]
    ready = staged(tmp_path, lines, key=(name,), record=create_model("Named", **fields))
    assert (ready.count, ready.duplicates) == (2, 1)


@pytest.mark.parametrize("keys", [(1, None, 1), (None, None), (None, 1, 2)])
def test_a_key_of_null_is_told_however_the_others_stand(
    tmp_path: Path, keys: tuple[int | None, ...]
) -> None:
    class Loose(BaseModel):
        id: int | None
        at: AwareDatetime | None = None

    with pytest.raises(TransformError, match="1 rows have no id"):
        staged(tmp_path, [json.dumps({"id": key}) for key in keys], record=Loose)


def test_without_a_key_every_record_is_a_row(tmp_path: Path) -> None:
    ready = staged(tmp_path, ['{"id":1}', '{"id":1}'], key=())
    assert (ready.count, ready.duplicates) == (2, 0)


def test_no_record_gives_no_row(tmp_path: Path) -> None:
    assert staged(tmp_path, []).count == 0


def test_a_sum_stays_a_whole_number(tmp_path: Path) -> None:
    ready = staged(
        tmp_path,
        ['{"id":1}'],
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
    lines = ['{"id":1}', '{"id":2}']
    with pytest.raises(TransformError, match=says):
        staged(tmp_path, lines, transform=lambda records: records.project(projection))


def test_a_value_of_another_type_is_the_contracts_fault(tmp_path: Path) -> None:
    class Odd(BaseModel):
        id: int
        at: AwareDatetime | None = None

        @field_serializer("id")
        def spelled(self, value: int) -> str:
            return f"number {value}"

    with pytest.raises(ContractError, match="does not fit its column"):
        staged(tmp_path, ['{"id":1}'], record=Odd)


def test_a_transform_of_one_record_is_a_choice_that_is_told(tmp_path: Path) -> None:
    @each_record
    def doubled(record: dict[str, Any]) -> dict[str, Any] | None:
        more = {"twice": record["id"] * 2, "at": record["at"]}
        return {**record, **more} if record["id"] != 2 else None

    lines = [json.dumps({"id": n, 'the "price"': "1.10", "tags": {"a": n}}) for n in (1, 2, 3)]
    ready = staged(tmp_path, lines, transform=doubled)
    assert rows(ready, 'id, twice, "the ""price""", tags[\'a\']') == [
        (1, 2, Decimal("1.10"), 1),
        (3, 6, Decimal("1.10"), 3),
    ]
    assert "one record at a time" in ready.way

    @each_record
    def broken(record: dict[str, Any]) -> dict[str, Any]:
        return {"id": record["missing"]}

    nothing = each_record(lambda record: {})
    with pytest.raises(TransformError, match=r"returned \{\}.* must be a dict of columns, or None"):
        staged(tmp_path, lines, transform=nothing)
    with pytest.raises(TransformError, match=r"KeyError: 'missing', on the record \{'id': 1"):
        staged(tmp_path, lines, transform=broken)


class Sub(BaseModel):
    when: str


class Texts(BaseModel):
    """Values that look like those of another type, and those that only their type keeps whole."""

    id: int
    when: str = ""
    sub: Sub | None = None
    subs: list[Sub] = []
    of: dict[str, str] = {}
    any: dict[str, Any] | int | None = None
    share: float = 0.0
    money: Decimal = Field(default=Decimal(0), decimal_places=20)
    at: AwareDatetime | None = None


def test_what_a_transform_of_one_record_never_touched_lands_as_without_it(tmp_path: Path) -> None:
    moment = "2026-01-01T10:00:00+05:00"
    lines = [
        json.dumps({"id": 1, "when": moment, "sub": {"when": "2026-1-1"}, "of": {"a": "1"}}),
        json.dumps({"id": 2, "when": "6F9619FF-8B86-D011-B42D-00C04FC964FF", "of": {"b": "007"}}),
        json.dumps({"id": 3, "when": "2026-01-01T10:00:00Z", "of": {"A": "1", "a": "2", "": "e"}}),
        json.dumps({"id": 4, "subs": [{"when": moment}, {"when": "\0"}], "at": moment}),
        json.dumps({"id": 5, "any": {"a": [2**70, "2026-1-1", None, {}]}, "share": "nan"}),
        json.dumps({"id": 6, "any": 2**40, "money": "1.00000000000000000001", "share": 1e300}),
    ]
    each = staged(tmp_path / "each", lines, transform=each_record(lambda row: row), record=Texts)
    whole = staged(tmp_path / "whole", lines, record=Texts)
    kinds = "(SELECT list(column_type) FROM (DESCRIBE staging.rows))"
    # NaN is not equal to itself.
    assert repr(sorted(rows(each, f"*, {kinds}"))) == repr(sorted(rows(whole, f"*, {kinds}")))


def each_with(folder: Path, values: list[Any], name: str = "new") -> Ready:
    """The rows of a transform of one record that gives the column `name` these values."""
    transform = each_record(lambda row: {**row, name: values[row["id"]]})
    lines = [json.dumps({"id": place}) for place in range(len(values))]
    return staged(folder, lines, transform=transform)


@pytest.mark.parametrize(
    ("values", "kind", "landed"),
    [
        ([1, None], "BIGINT", [1, None]),
        ([1, 2.5], "DOUBLE", [1.0, 2.5]),
        ([True], "BOOLEAN", [True]),
        (["2026-1-1", "x"], "VARCHAR", ["2026-1-1", "x"]),
        ([None, None], "VARCHAR", [None, None]),
        (["long" * 5_000_000], "VARCHAR", ["long" * 5_000_000]),
        ([Decimal("1.10")], "VARCHAR", ["1.10"]),
        ([date(2026, 1, 1)], "DATE", [date(2026, 1, 1)]),
        ([{"a": 2**70}, [1]], "JSON", [json.dumps({"a": 2**70}), "[1]"]),
        ([datetime(2026, 1, 1)], "TIMESTAMP", [datetime(2026, 1, 1)]),
        ([datetime(2026, 1, 1, tzinfo=UTC)], "TIMESTAMP WITH TIME ZONE", None),
    ],
)
def test_a_new_column_has_the_type_of_its_values(
    tmp_path: Path, values: list[Any], kind: str, landed: list[Any] | None
) -> None:
    ready = each_with(tmp_path, values)
    found = sorted(rows(ready, "id, new, typeof(new)"))
    assert {row[2] for row in found} == {kind}
    same = [row[1] for row in found] == (values if landed is None else landed)
    assert same  # of 20 MB, no difference is shown


@pytest.mark.parametrize(
    ("values", "name", "says"),
    [
        ([2**70], "new", rf"transform.py returned {2**70} for the column 'new'.*BIGINT"),
        ([1, "x"], "new", r"returned 'x' for the column 'new'.*BIGINT"),
        ([object()], "new", "no column can hold the type object"),
        ([time(9, tzinfo=UTC)], "new", "for the column 'new'.*TIME: it has an offset"),
        (["\ud800"], "new", r"returned '\\ud800' for the column 'new'.*surrogates"),
        ([["\ud800"]], "new", r"returned \['\\ud800'\] for the column 'new'.*surrogates"),
        ([1], "\ud800", "as the name of a column"),
        ([1], "ID", "returned the column 'id' twice"),
        ([1.5], "id", r"returned 1.5 for the column 'id'.*BIGINT"),
        (["x"], "at", r"returned 'x' for the column 'at'.*TIMESTAMP"),
        ([{"a": "x"}], "tags", r"returned \{'a': 'x'\} for the column 'tags'.*MAP"),
        ([Decimal("1e40")], 'the "price"', r"returned Decimal\('1E\+40'\).*DECIMAL"),
    ],
)
def test_a_value_that_its_column_cannot_have_is_named(
    tmp_path: Path, values: list[Any], name: str, says: str
) -> None:
    with pytest.raises(TransformError, match=says):
        each_with(tmp_path, values, name)


def test_a_transform_may_join_group_and_name_what_it_is_given(tmp_path: Path) -> None:
    lines = [json.dumps({"id": n, "tags": {"a": n}}) for n in range(4)]
    ready = staged(
        tmp_path,
        lines,
        transform=lambda records: records.query(
            "given", "SELECT id // 2 AS id, count(*) AS n FROM given GROUP BY ALL"
        ),
    )
    assert sorted(rows(ready)) == [(0, 2), (1, 2)]


@pytest.mark.parametrize(
    "transform",
    [
        lambda records: records.filter("random() < 0.5"),
        lambda records: records.project("id, uuid() AS name"),
        lambda records: records.project("id, now()::VARCHAR || Random () AS name"),
        lambda records: records.project("id, current_timestamp AS name"),
        lambda records: records.project("id, ago(INTERVAL 1 day) AS name"),
        lambda records: records.query("given", "FROM given WHERE random() < 0.5").project("id"),
    ],
)
def test_rows_that_are_others_each_time_are_made_once(tmp_path: Path, transform: Transform) -> None:
    ready = staged(tmp_path, [json.dumps({"id": n}) for n in range(500)], transform=transform)
    found = sorted(rows(ready))
    assert found == sorted(rows(ready))
    assert len(found) == ready.count


def test_a_projection_is_run_where_it_is_read_and_kept_nowhere(tmp_path: Path) -> None:
    ready = staged(tmp_path, ['{"id": 1}'], transform=lambda records: records.project("id, 2 AS n"))
    with duckdb.connect(str(ready.staging), read_only=True) as connection:
        found = connection.execute("SELECT view_name FROM duckdb_views()").fetchall()
    assert ("transformed",) in found


def test_a_relation_that_is_not_made_of_the_records_says_so(tmp_path: Path) -> None:
    with pytest.raises(TransformError, match="not made of the records it is given"):
        staged(tmp_path, ['{"id": 1}'], transform=lambda records: duckdb.sql("SELECT 1 AS id"))


def test_a_window_takes_what_is_in_it_and_what_has_no_date(tmp_path: Path) -> None:
    lines = [json.dumps({"id": n, "at": f"2026-01-0{n}T12:00:00+02:00"}) for n in range(1, 6)]
    lines.append('{"id": 9}')
    window = Window("2026-01-02T10:00:00+00:00", "2026-01-04T10:00:00+00:00")
    ready = staged(tmp_path, lines, window=window)
    assert sorted(rows(ready, "id")) == [(2,), (3,), (9,)]
    assert ready.watermark == "2026-01-03T10:00:00+00:00"


def test_a_float_without_an_end_is_no_watermark(tmp_path: Path) -> None:
    record = create_model("Record", id=(int, ...), at=(float, ...))
    marks = enumerate(["1.5", "NaN", "inf"])
    lines = [json.dumps({"id": number, "at": mark}) for number, mark in marks]
    ready = staged(tmp_path, lines, record=record)
    assert (ready.count, ready.watermark) == (3, "1.5")


def test_of_a_superseded_record_nothing_is_left_in_a_window(tmp_path: Path) -> None:
    lines = ['{"id": 1, "at": "2026-01-05T00:00:00Z"}', '{"id": 1, "at": "2026-01-01T00:00:00Z"}']
    assert staged(tmp_path, lines, window=Window("2026-01-03T00:00:00+00:00")).count == 0
