"""Records are judged as the contract would, and the refused ones are kept with the reason."""

from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import pytest
from judging import judged, refused, staged
from pydantic import (
    UUID4,
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    create_model,
    field_validator,
)

from ingest.errors import ContractError, SourceError, TooManyRejected
from ingest.formats import Format
from ingest.steps import Limits


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


def assert_as_pydantic(folder: Path, record: type[BaseModel], cell: str) -> None:
    """A cell of the column `a` is refused, or staged with the value that Pydantic gives."""
    expected = []
    with suppress(ValidationError):
        expected.append(record.model_validate({"a": cell}).model_dump())
    result = judged(folder, ["a", cell], record=record, fmt=Format.CSV)
    assert [{"a": row["a"]} for row in staged(result)] == expected


@pytest.mark.parametrize(
    ("hint", "cell"),
    [
        (Annotated[int, Field(multiple_of=5)], "7"),
        (Annotated[float, Field(multiple_of=0.5)], "0.75"),
        (Annotated[Decimal, Field(multiple_of=5, decimal_places=2)], "7.00"),
        (Annotated[int, Field(strict=True)], "7"),
        (Annotated[bool, Field(strict=True)], "true"),
        (Annotated[date, Field(strict=True)], "2024-01-31"),
        (Annotated[str, StringConstraints(strip_whitespace=True)], " x "),
        (Annotated[str, StringConstraints(to_lower=True)], "X"),
        (Annotated[date, Field(gt=date(2024, 1, 31))], "2024-01-31"),
        (Annotated[datetime, Field(le=datetime(2024, 1, 31))], "2024-01-31T10:00:00"),
        (UUID4, "6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
    ],
)
def test_a_constraint_that_the_gate_does_not_know_is_kept(
    tmp_path: Path, hint: Any, cell: str
) -> None:
    assert_as_pydantic(tmp_path, create_model("Bound", a=(hint, ...)), cell)


@pytest.mark.parametrize(
    ("config", "hint", "cell"),
    [
        (ConfigDict(strict=True), int, "7"),
        (ConfigDict(str_strip_whitespace=True), str, " x "),
        (ConfigDict(str_max_length=3), str, "long"),
        (ConfigDict(str_min_length=3), str, "x"),
        (ConfigDict(str_to_upper=True), str, "x"),
    ],
)
def test_a_setting_of_the_whole_model_is_kept(
    tmp_path: Path, config: ConfigDict, hint: Any, cell: str
) -> None:
    assert_as_pydantic(tmp_path, create_model("Set", __config__=config, a=(hint, ...)), cell)


def test_the_way_names_the_field_for_which_pydantic_judged(tmp_path: Path) -> None:
    class Size(BaseModel):
        height: Annotated[int, AfterValidator(abs)]

    class Measured(BaseModel):
        id: int
        sizes: list[Size] = []

    assert judged(tmp_path, ['{"id": 1}'], record=Measured).way == (
        "Pydantic, record by record: the gate does not know sizes[].height: a validator of its own"
    )
