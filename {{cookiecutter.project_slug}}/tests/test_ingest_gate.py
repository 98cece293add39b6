"""Records are judged as the contract would, and the refused ones are kept with the reason."""

import json
import math
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import duckdb
import pytest
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from ingest.contract import Contract
from ingest.errors import ContractError, SourceError, TooManyRejected
from ingest.formats import Format
from ingest.gate import judge
from ingest.steps import Judged, Limits, SourceFile, Step


class Inner(BaseModel):
    size: int


class Record(BaseModel):
    id: int
    price: Decimal = Field(default=Decimal(0), decimal_places=2)
    share: float = 0.0
    inner: list[Inner] = []


ANY = Limits(share=1.0)


def judged(
    folder: Path,
    lines: list[str],
    *,
    limits: Limits = ANY,
    batch_size: int = 2,
    record: type[BaseModel] = Record,
    fmt: Format = Format.NDJSON,
) -> Judged:
    path = folder / "source"
    path.write_text("\n".join(lines), encoding="utf-8")
    source = SourceFile(path, fmt, "the source", path.stat().st_size)
    step = Step(batch_size, limits, folder / "quarantine", "run-1")
    return judge(source, Contract(record, ("id",), "things"), step, folder)


def staged(result: Judged) -> list[dict[str, Any]]:
    with duckdb.connect(str(result.staging)) as connection:
        found = connection.execute("FROM accepted ORDER BY _position")
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def refused(folder: Path) -> list[dict[str, Any]]:
    (path,) = (folder / "quarantine").iterdir()
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
def test_the_batch_size_changes_no_verdict(tmp_path: Path, batch_size: int) -> None:
    lines = ['{"id": 1}', '{"id": "x"}', '{"id": "3"}', "{", '{"id": 5}']
    result = judged(tmp_path, lines, batch_size=batch_size)
    assert (result.read, result.accepted, result.rejected) == (5, 3, 2)
    assert [row["id"] for row in staged(result)] == [1, 3, 5]
    assert [entry["position"] for entry in refused(tmp_path)] == [2, 4]


def test_a_refused_record_is_kept_with_its_place_and_reason(tmp_path: Path) -> None:
    line = '{"id": 1, "inner": [{"size": 1}, {"size": "Größe"}]}'
    result = judged(tmp_path, ['{"id": 1}', line])
    (entry,) = refused(tmp_path)
    assert entry["run_id"] == "run-1"
    assert (entry["position"], entry["field"], entry["raw"]) == (2, "inner.1.size", line)
    assert "integer" in entry["reason"]
    assert result.quarantine is not None
    assert result.quarantine.name.endswith("-run-1.ndjson")
    assert "inner.*.size" in result.common_reasons()


def test_every_faulty_field_is_named(tmp_path: Path) -> None:
    judged(tmp_path, ['{"id": "x", "share": "y"}'])
    assert "; also share: " in refused(tmp_path)[0]["reason"]


def test_nothing_refused_leaves_no_file(tmp_path: Path) -> None:
    assert judged(tmp_path, ['{"id": 1}']).quarantine is None
    assert not (tmp_path / "quarantine").exists()


@pytest.mark.parametrize(
    "spoiled",
    [
        '{"id": 9223372036854775808}',
        '{"id": "99999999999999999999"}',
        '{"id": 1, "price": "1E+50"}',
        '{"id": 1, "inner": [{"size": 9223372036854775808}]}',
    ],
)
def test_a_value_too_large_for_its_column_is_refused_not_fatal(
    tmp_path: Path, spoiled: str
) -> None:
    result = judged(tmp_path, ['{"id": 9223372036854775807}', spoiled])
    assert (result.accepted, result.rejected) == (1, 1)
    assert "does not fit its column" in refused(tmp_path)[0]["reason"]


def test_a_value_that_its_column_would_round_up_too_far_is_refused_not_fatal(
    tmp_path: Path,
) -> None:
    class Rounded(BaseModel):
        id: int
        value: Annotated[
            Decimal,
            Field(max_digits=18, decimal_places=2),
            AfterValidator(lambda v: v + Decimal("0.999")),
        ]

    lines = ['{"id": 1, "value": "1.00"}', '{"id": 2, "value": "9999999999999999.00"}']
    result = judged(tmp_path, lines, record=Rounded)
    assert (result.accepted, result.rejected) == (1, 1)
    assert "does not fit its column" in refused(tmp_path)[0]["reason"]


def test_infinity_is_not_turned_into_nothing(tmp_path: Path) -> None:
    result = judged(tmp_path, ['{"id": 1, "share": 1e999}', '{"id": 2, "share": "nan"}'])
    assert [row["share"] for row in staged(result)] == [
        math.inf,
        pytest.approx(math.nan, nan_ok=True),
    ]


def test_half_a_surrogate_pair_is_refused_and_kept(tmp_path: Path) -> None:
    class Named(BaseModel):
        id: str

    result = judged(tmp_path, ['{"id": "\\ud800"}'], record=Named)
    assert result.rejected == 1
    assert json.loads(refused(tmp_path)[0]["raw"]) == {"id": "\ud800"}


def test_too_large_a_share_fails_and_keeps_the_reasons(tmp_path: Path) -> None:
    lines = ['{"id": 1}'] * 3 + ["{}"]
    assert judged(tmp_path, lines, limits=Limits(share=0.25)).rejected == 1
    (tmp_path / "quarantine").rename(tmp_path / "other")
    with pytest.raises(TooManyRejected, match=r"1 of 4 records \(25.0%\).*contract.py") as caught:
        judged(tmp_path, lines, limits=Limits(share=0.2))
    assert len(refused(tmp_path)) == 1
    assert str(tmp_path / "quarantine") in str(caught.value)


def test_too_many_fail_before_the_source_is_read_to_its_end(tmp_path: Path) -> None:
    with pytest.raises(TooManyRejected, match="limit is 3"):
        judged(tmp_path, ["{}"] * 100, limits=Limits(share=1.0, count=3))
    assert len(refused(tmp_path)) == 4


def test_an_error_in_the_middle_leaves_no_half_quarantine(tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        judged(tmp_path, ['[{"id": "x"}, {"id": "y"}, {"i'], fmt=Format.JSON)
    assert list((tmp_path / "quarantine").glob("*")) == []


def test_a_validator_that_crashes_is_the_contracts_fault(tmp_path: Path) -> None:
    class Broken(BaseModel):
        id: int

        @field_validator("id")
        @classmethod
        def look_up(cls, value: int) -> int:
            return {}[value]

    with pytest.raises(ContractError, match="record 1 with KeyError"):
        judged(tmp_path, ['{"id": 1}'], record=Broken)


class Text(BaseModel):
    a: str


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


def parquet(path: Path, select: str) -> SourceFile:
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.parent / "made"
    duckdb.sql(select).write_parquet(str(made))
    made.rename(path)
    return SourceFile(path, Format.PARQUET, "the source", path.stat().st_size)


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
