"""However a source writes its records, the gate takes them for what Pydantic would."""

import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import duckdb
import pytest
from judging import ANY, Inner, Record, judged, refused, staged
from pydantic import BaseModel, ConfigDict, Field, NaiveDatetime

from ingest.contract import Contract
from ingest.formats import Format
from ingest.gate import judge
from ingest.na import NA_IS_NULL
from ingest.steps import SourceFile, Step


def parquet(path: Path, select: str) -> SourceFile:
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.parent / "made"
    duckdb.sql(select).write_parquet(str(made))
    made.rename(path)
    return SourceFile(path, Format.PARQUET, "the source", path.stat().st_size)


class Sized(BaseModel):
    id: int
    inner: list[Inner]


class Text(BaseModel):
    a: str


class Plain(BaseModel):
    id: int
    name: Annotated[str, Field(min_length=1)]
    price: Annotated[Decimal, Field(decimal_places=2)]
    share: float
    paid: bool
    day: date
    at: NaiveDatetime
    code: UUID
    note: str | None = None


_CODE = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
_PLAIN = {
    "id": 1,
    "name": "x",
    "price": Decimal("1.50"),
    "share": 0.5,
    "paid": True,
    "day": date(2024, 2, 29),
    "at": datetime(2024, 1, 31, 10),
    "code": UUID(_CODE),
    "note": None,
}
_LINE = json.dumps(_PLAIN | {"price": 1.5}, default=str)


@pytest.mark.parametrize(
    ("lines", "fmt"),
    [
        ([_LINE], Format.NDJSON),
        (["[", _LINE, "]"], Format.JSON),
        (
            [
                "id,name,price,share,paid,day,at,code,note",
                f"1,x,1.50,0.5,true,2024-02-29,2024-01-31T10:00:00,{_CODE},",
            ],
            Format.CSV,
        ),
    ],
)
def test_a_plain_contract_is_judged_by_the_gate(
    tmp_path: Path, lines: list[str], fmt: Format
) -> None:
    result = judged(tmp_path, lines, record=Plain, fmt=fmt)
    assert result.way == "the gate"
    assert staged(result) == [{"_position": 0} | _PLAIN]


def test_a_plain_contract_is_judged_by_the_gate_in_parquet_too(tmp_path: Path) -> None:
    select = (
        "SELECT 1 AS id, 'x' AS name, 1.50::DECIMAL(9, 2) AS price, 0.5::DOUBLE AS share, "
        "TRUE AS paid, DATE '2024-02-29' AS day, TIMESTAMP '2024-01-31 10:00:00' AS at, "
        f"'{_CODE}'::UUID AS code"
    )
    source = parquet(tmp_path / "x.parquet", select)
    step = Step(10, ANY, tmp_path / "quarantine", "run-1")
    result = judge(source, Contract(Plain, ("id",), "things"), step, tmp_path)
    assert result.way == "the gate"
    assert staged(result) == [{"_position": 0} | _PLAIN]


def test_a_column_in_which_na_is_null_is_judged_by_the_gate(tmp_path: Path) -> None:
    class Measured(BaseModel):
        id: int
        size: Annotated[int | None, NA_IS_NULL] = None

    result = judged(tmp_path, ["id,size", "1,7", "2,NA", "3,"], record=Measured, fmt=Format.CSV)
    assert result.way == "the gate"
    assert [row["size"] for row in staged(result)] == [7, None, None]


@pytest.mark.parametrize(
    ("lines", "fmt"),
    [
        (["a", "1", "2", "\ufeff3"], Format.CSV),
        (['{"a": "1"}', '{"a": "2"}', '{"a": "\ufeff3"}'], Format.NDJSON),
    ],
)
def test_a_byte_order_mark_within_a_file_is_a_character(
    tmp_path: Path, lines: list[str], fmt: Format
) -> None:
    result = judged(tmp_path, lines, record=Text, fmt=fmt)
    assert [row["a"] for row in staged(result)] == ["1", "2", "\ufeff3"]


def test_a_line_that_begins_with_a_byte_order_mark_is_refused_in_every_block(
    tmp_path: Path,
) -> None:
    line = '{"a": "1"}'
    result = judged(tmp_path, [line, line, "\ufeff" + line], record=Text)
    assert (result.accepted, result.rejected) == (2, 1)


@pytest.mark.parametrize("name", ["id=5/x.parquet", "o*.parquet", "[1]/x.parquet"])
def test_a_name_adds_no_column_and_no_file_to_a_parquet_source(tmp_path: Path, name: str) -> None:
    parquet(tmp_path / "other.parquet", "SELECT 7 AS id")
    source = parquet(tmp_path / name, "SELECT 1 AS id")
    step = Step(10, ANY, tmp_path / "quarantine", "run-1")
    result = judge(source, Contract(Record, ("id",), "things"), step, tmp_path)
    assert [row["id"] for row in staged(result)] == [1]


@pytest.mark.parametrize("name", ["id=5", "[1]", "a*"])
@pytest.mark.parametrize(
    ("lines", "fmt"),
    [(['{"id": 1}', '{"id": "2"}'], Format.NDJSON), (["id", "1", " 2"], Format.CSV)],
)
def test_the_name_of_the_work_folder_changes_no_value(
    tmp_path: Path, name: str, lines: list[str], fmt: Format
) -> None:
    (tmp_path / name).mkdir()
    result = judged(tmp_path / name, lines, fmt=fmt)
    assert [row["id"] for row in staged(result)] == [1, 2]


def test_a_parquet_file_may_have_a_column_that_the_reader_makes_too(tmp_path: Path) -> None:
    select = (
        "SELECT n AS id, 'x' AS file_row_number FROM range(5) AS t(n) UNION ALL SELECT NULL, ''"
    )
    source = parquet(tmp_path / "x.parquet", select)
    step = Step(2, ANY, tmp_path / "quarantine", "run-1")
    result = judge(source, Contract(Record, ("id",), "things"), step, tmp_path)
    assert [row["id"] for row in staged(result)] == [0, 1, 2, 3, 4]
    assert [entry["position"] for entry in refused(tmp_path)] == [6]


@pytest.mark.parametrize("name", ["x0", "X0", "x1", "file_row_number", "_position", "_raw"])
def test_a_column_of_any_name_stands_for_no_item_of_a_parquet_file(
    tmp_path: Path, name: str
) -> None:
    lists = "[{'size': NULL}] ELSE [{'size': n::INTEGER}]"
    select = (
        f'SELECT n AS id, CASE n WHEN 2 THEN {lists} END AS "inner", '
        f'struct_pack(size := 7) AS "{name}" FROM range(4) AS t(n)'
    )
    source = parquet(tmp_path / "x.parquet", select)
    step = Step(10, ANY, tmp_path / "quarantine", "run-1")
    result = judge(source, Contract(Sized, ("id",), "things"), step, tmp_path)
    assert [row["inner"] for row in staged(result)] == [[{"size": n}] for n in (0, 1, 3)]
    assert [entry["position"] for entry in refused(tmp_path)] == [3]


def test_a_decimal_of_many_places_is_refused_where_it_does_not_fit(tmp_path: Path) -> None:
    class Fine(BaseModel):
        a: Annotated[Decimal, Field(decimal_places=30)]

    result = judged(tmp_path, ['{"a": "12345678.5"}', '{"a": "123456789.5"}'], record=Fine)
    assert [row["a"] for row in staged(result)] == [Decimal("12345678.5")]
    assert "does not fit its column" in refused(tmp_path)[0]["reason"]


@pytest.mark.parametrize("pattern", [r"^[\][a]]$", "^[][a]]$"])
def test_a_bracket_in_a_class_means_what_pydantic_says(tmp_path: Path, pattern: str) -> None:
    class Marked(BaseModel):
        a: Annotated[str, Field(pattern=pattern)]

    lines = [json.dumps({"a": text}) for text in ("a", "]", "a]", "[]")]
    result = judged(tmp_path, lines, record=Marked)
    assert [row["a"] for row in staged(result)] == ["a", "]"]


def test_a_model_that_judges_or_writes_in_its_own_way_is_asked(tmp_path: Path) -> None:
    class Loud(BaseModel):
        a: str

        def model_dump(self, **_: Any) -> dict[str, Any]:
            return {"a": self.a.upper()}

    result = judged(tmp_path, ['{"a": "x"}'], record=Loud)
    assert [row["a"] for row in staged(result)] == ["X"]


def test_a_model_that_is_used_twice_still_goes_through_the_gate(tmp_path: Path) -> None:
    class Order(BaseModel):
        model_config = ConfigDict(extra="forbid")
        first: Inner
        second: Inner | None = None

    lines = ['{"first": {"size": 1}, "second": {"size": 2}}', '{"first": {"size": 3}}']
    result = judged(tmp_path, lines, record=Order)
    assert result.way == "the gate"
    assert staged(result)[0] == {"_position": 0, "first": {"size": 1}, "second": {"size": 2}}


def test_an_integer_of_any_length_spoils_no_more_than_its_record(tmp_path: Path) -> None:
    lines = ['[{"id": 1}, {"id": ' + "9" * 5000 + '}, {"id": 3}]']
    result = judged(tmp_path, lines, fmt=Format.JSON)
    assert [row["id"] for row in staged(result)] == [1, 3]
    assert "4300 digits" in refused(tmp_path)[0]["reason"]


@pytest.mark.parametrize("row", ["1,2", "1,2,3", "1,,,,,6"])
def test_a_row_with_too_many_cells_is_kept_whole(tmp_path: Path, row: str) -> None:
    result = judged(tmp_path, ["id", "7", row, "8"], fmt=Format.CSV, batch_size=10)
    assert [row["id"] for row in staged(result)] == [7, 8]
    assert json.loads(refused(tmp_path)[0]["raw"]) == row.split(",")


class Long(BaseModel):
    id: int
    first: str
    second: Annotated[str, Field(max_length=100)]
    third: str
    inner: list[dict[str, str]] | None = None


def test_a_long_line_is_cut_at_a_key_and_judged_as_a_whole(tmp_path: Path) -> None:
    usual = {"id": 1, "first": "ä" * 100, "second": "x" * 100, "third": "y" * 100}
    lines = [json.dumps(usual | {"id": number}, ensure_ascii=False) for number in range(200)]
    short, twice = dict(usual), lines[0].replace('"third"', '"second"')
    del short["second"]
    odd = [
        json.dumps(usual | {"first": "second", "third": "third"}),
        json.dumps(usual | {"inner": [{"second": "s", "third": "t"}]}),
        lines[0].replace('"second"', '"s\\u0065cond"'),
        lines[0][:-1] + ',"second":"the last counts"}',
        lines[0][:-1] + ',"second":5}',
        json.dumps(short),
        twice,
        lines[0].replace("x", ""),
        lines[0].replace("x", "xx"),
        lines[0].replace('"second": "', '"second": ["').replace('x",', 'x"],'),
        lines[0].replace('"second"', 'second"'),
        lines[0].replace('"id": 0', '"id": 0.5'),
        lines[0].replace('"third": "', '"third": 1, "z": "'),
    ]
    result = judged(tmp_path, [*lines, *odd], batch_size=500, record=Long)
    rows = staged(result)
    sound = [odd[place] for place in (0, 1, 2, 3, 7)]
    expected = [json.loads(line) for line in [*lines, *sound]]
    named = ("id", "first", "second", "third")
    assert [tuple(row[name] for name in named) for row in rows] == [
        tuple(record[name] for name in named) for record in expected
    ]
    assert [entry["position"] for entry in refused(tmp_path)] == [205, 206, 207, *range(209, 214)]
    assert result.way == f"the gate for {201 / 213:.1%}, Pydantic for 12 records"


@pytest.mark.parametrize("depth", [3, 4, 500, 980])
@pytest.mark.parametrize(("left", "right"), [("[", "]"), ('{"a":', "}")])
def test_a_value_that_nobody_reads_may_be_nested_deeply(
    tmp_path: Path, depth: int, left: str, right: str
) -> None:
    deep = left * depth + "1" + right * depth
    result = judged(tmp_path, ['{"id": 1, "q": ' + deep + "}", '{"id": 2, "q": 1}'])
    assert [row["id"] for row in staged(result)] == [1, 2]
