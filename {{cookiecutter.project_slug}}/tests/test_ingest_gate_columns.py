"""What the contract accepts and no column can hold is refused with the reason, never cut or fatal."""

import json
import math
from datetime import time
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import duckdb
import pytest
from judging import judged, refused, staged
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    field_serializer,
)


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


def test_a_time_whose_offset_its_column_has_no_place_for_is_refused(tmp_path: Path) -> None:
    class Slot(BaseModel):
        begins: time
        ends: time | None = None

    class Day(BaseModel):
        id: int
        opens: time | None = None
        slots: list[Slot] = []
        by_name: dict[str, time | None] = {}
        either: time | int | None = None
        note: str = ""

    fine = {
        "opens": "08:00",
        "slots": [{"begins": "09:00:00.5"}],
        "by_name": {"a": "10:00:00", "b": None, "c": 3661.5},
        "either": "08:00:00+02:00",
        "note": "08:00:00+02:00",
    }
    spoiled: list[dict[str, object]] = [
        {"opens": "08:00:00.25-03:30"},
        {"slots": [{"begins": "09:00"}, {"begins": "09:00", "ends": "10:00+02:00"}]},
        {"by_name": {"b": "10:00:00-11:00"}},
    ]
    records = [fine, {"opens": "08:00Z"}, *spoiled]
    lines = [json.dumps({"id": n, **one}) for n, one in enumerate(records)]
    result = judged(tmp_path, lines, record=Day)
    row, in_utc = staged(result)
    assert in_utc["opens"] == time(8)
    assert row["by_name"]["c"] == time(1, 1, 1, 500000)
    assert (row["opens"], row["slots"]) == (
        time(8),
        [{"begins": time(9, 0, 0, 500000), "ends": None}],
    )
    assert (row["either"], row["note"]) == ('"08:00:00+02:00"', "08:00:00+02:00")
    assert [line["reason"] for line in refused(tmp_path)] == [
        f"a value does not fit its column: TIME has no offset, and {found} has one"
        for found in ("08:00:00.250000-03:30", "10:00:00+02:00", "10:00:00-11:00")
    ]


@pytest.mark.parametrize(
    ("written", "fits"),
    [
        ("%H:%M:%S%z", False),
        ("%H:%M:%S.%f %z", False),
        ("%H:%M:%S+02", False),
        ("%H:%M:%S+00:00", True),
        ("%H:%M:%S+0000", True),
        ("%H:%M:%S+00", True),
        ("%H:%M", True),
    ],
)
def test_an_offset_is_one_however_a_serializer_of_the_contracts_own_writes_it(
    tmp_path: Path, written: str, fits: bool
) -> None:
    class Day(BaseModel):
        id: int
        opens: time

        @field_serializer("opens")
        def as_text(self, value: time) -> str:
            return value.strftime(written)

    result = judged(tmp_path, ['{"id": 1, "opens": "08:00:00+02:00"}'], record=Day)
    if fits:
        assert [row["opens"] for row in staged(result)] == [time(8)]
    else:
        assert staged(result) == []
        assert "TIME has no offset" in refused(tmp_path)[0]["reason"]


def test_what_cannot_be_written_is_no_fault_of_the_contract(tmp_path: Path) -> None:
    class Checked(BaseModel):
        id: Annotated[int, AfterValidator(abs)]

    # As on a full disk, the file of what Pydantic accepted cannot be made.
    (tmp_path / "accepted" / "00000000-asked.parquet").mkdir(parents=True)
    with pytest.raises(duckdb.IOException):
        judged(tmp_path, ['{"id": 1}'], record=Checked)


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


def test_infinity_is_not_turned_into_nothing_where_anything_may_stand(tmp_path: Path) -> None:
    class Part(BaseModel):
        b: Any

    class Free(BaseModel):
        model_config = ConfigDict(ser_json_bytes="base64")
        id: int
        a: Any = None
        part: Part | None = None
        raw: bytes = b"\xff"

    lines = [
        '{"id": 1, "a": 1e400}',
        '{"id": 2, "a": [null, {"x": -1e400}]}',
        '{"id": 3, "part": {"b": 1E+999}}',
        '{"id": 4, "a": [1e300]}',
    ]
    rows = staged(judged(tmp_path, lines, record=Free))
    assert [row["a"] for row in rows] == ['"Infinity"', '[null,{"x":"-Infinity"}]', None, "[1e300]"]
    assert rows[2]["part"] == {"b": '"Infinity"'}
    assert rows[3]["raw"] == "_w=="


def test_half_a_surrogate_pair_is_refused_and_kept(tmp_path: Path) -> None:
    class Named(BaseModel):
        id: str

    result = judged(tmp_path, ['{"id": "\\ud800"}'], record=Named)
    assert result.rejected == 1
    assert json.loads(refused(tmp_path)[0]["raw"]) == {"id": "\ud800"}


@pytest.mark.parametrize("depth", [255, 300, 900, 5000])
@pytest.mark.parametrize("begin, end", [("[", "]"), ('{"a":', "}")])
def test_a_record_that_is_nested_too_deep_is_refused_not_fatal(
    tmp_path: Path, depth: int, begin: str, end: str
) -> None:
    class Free(BaseModel):
        id: int
        a: Any

    deep = '{"id": 1, "a": ' + begin * depth + "1" + end * depth + "}"
    result = judged(tmp_path, [deep, '{"id": 2, "a": [[1]]}'], record=Free)
    assert [row["a"] for row in staged(result)] == ["[[1]]"]
    assert "nested too deep" in refused(tmp_path)[0]["reason"]
