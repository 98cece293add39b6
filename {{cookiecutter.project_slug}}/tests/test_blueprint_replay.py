"""`blueprint replay-quarantine`: every file in turn, and a report of each."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import duckdb
import pytest
from pydantic import BaseModel, Field

from blueprint import manifest
from blueprint.project import Problem
from blueprint.replaying import replay_quarantine
from data_pipeline import contract as contract_module
from data_pipeline import transform as transform_module
from ingest.contract import Contract
from ingest.errors import TooManyRejected
from ingest.gate import judge
from ingest.loading import Load
from ingest.sinks import open_sink
from ingest.sources import fetch
from ingest.staging import stage
from ingest.steps import Limits, Step


class Strict(BaseModel):
    id: Annotated[int, Field(le=10)]


class Mended(BaseModel):
    id: int


def as_is(records: Any) -> Any:
    return records


@pytest.fixture
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What prefect.yaml would say; the project's contract is the mended one."""
    monkeypatch.setattr(contract_module, "CONTRACT", Contract(Mended, ("id",), "things"))
    monkeypatch.setattr(transform_module, "transform", as_is)
    folders = {"target": str(tmp_path / "t.duckdb"), "quarantine": str(tmp_path / "quarantine")}
    return {"parameters": folders}


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., None]:
    """A run of the strict contract over NDJSON lines."""

    def start(run_id: str, *lines: str, limits: Limits | None = None) -> None:
        work = tmp_path / f"work {run_id}"
        work.mkdir()
        (work / "things.ndjson").write_text("\n".join(lines))
        source = fetch(str(work / "things.ndjson"), work)
        contract = Contract(Strict, ("id",), "things")
        step = Step(10, limits or Limits(1.0), tmp_path / "quarantine", run_id)
        ready = stage(judge(source, contract, step, work), contract, as_is, work)
        sink = open_sink(str(tmp_path / "t.duckdb"))
        sink.load(ready, contract, Load(run_id, "the source", ready.read))

    return start


def ids(folder: Path) -> list[int]:
    with duckdb.connect(str(folder / "t.duckdb"), read_only=True) as connection:
        return [
            row[0] for row in connection.execute("SELECT id FROM things ORDER BY id").fetchall()
        ]


def test_all_files_are_replayed_and_what_is_left_is_named(
    deployment: dict[str, Any],
    run: Callable[..., None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run("first", '{"id": 1}', '{"id": 11}', "{")
    run("second", '{"id": 2}', '{"id": 12}')
    with pytest.raises(TooManyRejected):
        run("third", '{"id": 13}', limits=Limits(0.0))
    replay_quarantine(deployment)
    out = capsys.readouterr().out
    assert ids(tmp_path) == [1, 2, 11, 12]
    assert "-third.failed.ndjson is left: the run refused too many" in out
    assert "1 cannot be replayed" in out
    assert "2 refused records are accepted now, 2 rows loaded into things of" in out
    left = sorted(path.name.partition("-")[2] for path in (tmp_path / "quarantine").iterdir())
    assert left == ["first.ndjson", "third.failed.ndjson"]


@pytest.mark.parametrize("by", ["run", "file"])
def test_one_run_is_chosen_by_its_id_or_its_file(
    deployment: dict[str, Any], run: Callable[..., None], tmp_path: Path, by: str
) -> None:
    run("first", '{"id": 1}', '{"id": 11}')
    run("second", '{"id": 2}', '{"id": 12}')
    (path,) = (tmp_path / "quarantine").glob("*-second.ndjson")
    replay_quarantine(deployment, "second" if by == "run" else str(path))
    assert ids(tmp_path) == [1, 2, 12]


def test_a_file_that_is_spoiled_stops_no_other_and_ends_with_a_problem(
    deployment: dict[str, Any], run: Callable[..., None], tmp_path: Path
) -> None:
    run("first", '{"id": 1}', '{"id": 11}')
    (path,) = (tmp_path / "quarantine").iterdir()
    path.write_text("spoiled\n")
    run("second", '{"id": 2}', '{"id": 12}')
    with pytest.raises(Problem, match="Line 1 of .*-first.ndjson"):
        replay_quarantine(deployment)
    assert ids(tmp_path) == [1, 2, 12]


def test_a_dry_run_loads_nothing(
    deployment: dict[str, Any],
    run: Callable[..., None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run("first", '{"id": 1}', '{"id": 11}')
    replay_quarantine(deployment, dry_run=True)
    assert "1 refused records would be accepted now; nothing was loaded" in capsys.readouterr().out
    assert ids(tmp_path) == [1]
    assert len(list((tmp_path / "quarantine").iterdir())) == 1


def test_into_another_target_than_the_runs_nothing_is_loaded(
    deployment: dict[str, Any],
    run: Callable[..., None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run("first", '{"id": 1}', '{"id": 11}')
    replay_quarantine(deployment, target=str(tmp_path / "other.duckdb"))
    assert "the run is none of the last loads of things in" in capsys.readouterr().out
    assert not (tmp_path / "other.duckdb").exists()


def test_what_is_another_pipelines_is_left_to_it(
    deployment: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "zoo"
    folder.mkdir()
    (folder / "x.ndjson").touch()
    zoo = {"entrypoint": "zoo.flow:zoo", "parameters": {"quarantine": str(folder)}}
    monkeypatch.setattr(manifest, "packages", lambda: ["data_pipeline", "zoo"])
    monkeypatch.setattr(manifest, "load", lambda: manifest.Manifest([deployment, zoo]))
    for which in (str(folder / "x.ndjson"), "nope"):
        with pytest.raises(Problem, match="--pipeline zoo"):
            replay_quarantine(deployment, which)


def test_an_unknown_run_is_said_and_an_empty_quarantine_is_no_fault(
    deployment: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    replay_quarantine(deployment)
    assert "nothing is in quarantine" in capsys.readouterr().out
    with pytest.raises(Problem, match="neither a file nope nor one of the run nope"):
        replay_quarantine(deployment, "nope")
