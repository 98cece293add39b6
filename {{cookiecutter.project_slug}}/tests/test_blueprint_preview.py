"""A preview shows what a run would make of the source, and leaves nothing behind."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, create_model

from blueprint import show
from blueprint.previewing import preview
from blueprint.project import Problem
from data_pipeline import contract as contract_module
from data_pipeline import transform as transform_module
from ingest.contract import Contract
from ingest.errors import SourceError, TransformError

Serve = Callable[..., Any]


class Inner(BaseModel):
    text: str


class Record(BaseModel):
    id: int
    inner: Inner | None = None
    day: date | None = None
    share: float | None = None


@pytest.fixture(autouse=True)
def small_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    """A contract and a transform of the tests, so that they hold whatever the project's say."""
    monkeypatch.setattr(contract_module, "CONTRACT", Contract(Record, ("id",), "things"))
    monkeypatch.setattr(transform_module, "transform", lambda records: records)


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Write a source of these lines; gives the deployment that reads it."""

    def write(*lines: str) -> dict[str, Any]:
        path = tmp_path / "things.ndjson"
        path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
        return {"parameters": {"source_url": str(path), "quarantine": str(tmp_path / "quarantine")}}

    return write


def lines(count: int, *others: str) -> list[str]:
    return [*others, *(json.dumps({"id": number}) for number in range(count))]


def test_it_tells_what_is_refused_where_and_why(
    source: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    deployment = source(*lines(30), "", '{"id": "x"}')
    assert preview(deployment, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["read"], found["accepted"], found["refused"], found["rows"]) == (31, 30, 1, 30)
    (refused,) = found["first_refused"]
    assert (refused["position"], refused["field"]) == (32, "id")  # its line in the source
    assert list(found["reasons"].values()) == [1]
    assert found["fits"] is True
    assert [path.name for path in tmp_path.iterdir()] == ["things.ndjson"]


def test_only_the_first_records_are_read(
    source: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert preview(source(*lines(3), "{", "{"), limit=3, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["read"], found["refused"]) == (3, 0)


@pytest.mark.parametrize("rest", [["{"] * 10, [], ["{"] * 10 + lines(10)])
def test_it_fails_where_a_run_would(source: Callable[..., dict[str, Any]], rest: list[str]) -> None:
    assert not preview(source(*rest))


def test_rows_are_shown_as_json_has_them(
    source: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    line = '{"id": 1, "inner": {"text": "[red]\\u001b[1m"}, "day": "2026-01-02", "share": "nan"}'
    preview(source(line), as_json=True)
    (row,) = json.loads(capsys.readouterr().out)["first_rows"]
    assert row == {
        "id": 1,
        "inner": {"text": "[red]\x1b[1m"},
        "day": "2026-01-02",
        "share": "NaN",
    }


@pytest.mark.parametrize("name", ["r", "rows", "staging", "records"])
def test_a_column_of_any_name_is_shown(
    source: Callable[..., dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    fields: dict[str, Any] = {"id": (int, ...), name: (Inner | str | None, None)}
    model = create_model("Record", **fields)
    monkeypatch.setattr(contract_module, "CONTRACT", Contract(model, ("id",), "things"))
    rows = [{"id": 1, name: None}, {"id": 2, name: "q"}, {"id": 3, name: {"text": "x"}}]
    assert preview(source(*map(json.dumps, rows)), as_json=True)
    assert json.loads(capsys.readouterr().out)["first_rows"] == rows


def test_the_table_fits_the_terminal_and_obeys_no_value(
    source: Callable[..., dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(show, "console", show.Console(highlight=False, markup=False, width=50))
    inner = {"text": "[red]\x1b[1m" + "long " * 50}
    preview(source(json.dumps({"id": 1, "inner": inner, "day": "2026-01-02"})))
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "[red]" in out
    assert "and the columns share (--json shows all)" in out
    table = [line for line in out.splitlines() if line[:1] in "┏┡└┃│"]
    assert max(map(len, table)) <= 50


def test_a_source_over_http_is_previewed_too(
    serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    served = serve({"body": b'{"id": 1}\n{"id": 1}\n'})
    assert preview({}, source=served.url)
    out = capsys.readouterr().out
    assert "fetching the source" in out and served.url in out


def test_what_is_no_source_or_no_limit_is_a_persons_fault(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="'ftp://x' is no source"):
        preview({}, source="ftp://x")
    with pytest.raises(Problem, match="gives this deployment no source_url"):
        preview({})
    with pytest.raises(Problem, match="1 or more records"):
        preview({}, limit=0, source="x.csv")
    with pytest.raises(SourceError, match="There is no file"):
        preview({}, source=str(tmp_path / "x.csv"))


def test_a_transform_that_fails_is_seen_before_any_run(
    source: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(records: Any) -> Any:
        return records.project("missing")

    monkeypatch.setattr(transform_module, "transform", broken)
    with pytest.raises(TransformError, match="missing"):
        preview(source(*lines(1)))


def test_a_value_that_the_transform_cannot_cast_is_told(
    source: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def cast(records: Any) -> Any:
        return records.project("id, ('no day ' || id)::DATE AS day")

    monkeypatch.setattr(transform_module, "transform", cast)
    with pytest.raises(TransformError, match="transform.py failed on a value: .*no day"):
        preview(source(*lines(1)))
