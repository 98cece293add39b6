"""The flow as Prefect runs it: retries, states, parameters and the summary."""

import re
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowRunFilter,
    FlowRunFilterId,
)
from prefect.client.schemas.objects import FlowRun, State, TaskRun
from prefect.exceptions import ParameterBindError, ParameterTypeError, SignatureMismatchError
from prefect.settings import PREFECT_RESULTS_PERSIST_BY_DEFAULT, temporary_settings
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.utilities.callables import parameter_schema
from pydantic import AwareDatetime, BaseModel

from data_pipeline import config
from data_pipeline import flow as flow_module
from data_pipeline import load as load_module
from data_pipeline.flow import data_pipeline
from ingest.contract import Contract
from ingest.each import each_record
from ingest.planning import Guard, WhenShrunk
from ingest.summary import RunSummary
from runtime import summary as summaries

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server", "small_contract")]
Serve = Callable[..., Any]
TEN = b"".join(b'{"id": %d}\n' % number for number in range(10))


class Small(BaseModel):
    id: int


@pytest.fixture
def small_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    """A contract of the tests, so that they hold whatever contract.py says."""
    contract = Contract(Small, ("id",), "things")
    monkeypatch.setattr(flow_module, "CONTRACT", contract)
    monkeypatch.setattr(load_module, "CONTRACT", contract)
    monkeypatch.setattr(flow_module, "transform", lambda records: records)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., State[Any]]:
    """Run the flow into a scratch target and return its final state."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))

    def start(source_url: str, **more: Any) -> State[Any]:
        options: Any = {
            "target": str(tmp_path / "w.duckdb"),
            "quarantine": str(tmp_path / "refused"),
            "return_state": True,
        }
        return data_pipeline(source_url, **(options | more))

    return start


def task_runs(state: State[Any]) -> dict[str, TaskRun]:
    flow_run_id = state.state_details.flow_run_id
    assert flow_run_id
    with get_client(sync_client=True) as client:
        runs = client.read_task_runs(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id]))
        )
    return {task_run.name.rsplit("-", 1)[0]: task_run for task_run in runs}


def test_a_source_that_fails_twice_is_retried_by_prefect(
    serve: Serve, run: Callable[..., State[Any]], tmp_path: Path
) -> None:
    served = serve({"status": 503}, {"body": TEN, "promised": 999}, {"body": TEN})
    state = run(served.url, batch_size=3)
    assert state.is_completed()
    assert len(served.requests) == 3
    summary = state.result()
    assert isinstance(summary, RunSummary)
    assert (summary.rows_read, summary.rows_loaded, summary.source_url) == (10, 10, served.url)
    assert task_runs(state)["extract"].run_count == 3
    assert list((tmp_path / "tmp").iterdir()) == []  # the work folder is gone


def test_a_wait_that_the_server_asks_for_is_a_line_in_the_log(
    serve: Serve, run: Callable[..., State[Any]], caplog: pytest.LogCaptureFixture
) -> None:
    served = serve({"status": 429, "headers": {"Retry-After": "1"}}, {"body": TEN})
    assert run(served.url).is_completed()
    found = [one.message for one in caplog.records if "asks to wait 1 s" in one.message]
    assert len(found) == 1 and served.url in found[0]


def test_the_summary_is_read_back_exactly(serve: Serve, run: Callable[..., State[Any]]) -> None:
    state = run(serve({"body": TEN}).url)
    flow_run_id = state.state_details.flow_run_id
    assert flow_run_id
    with get_client(sync_client=True) as client:
        assert summaries.read(client, flow_run_id) == state.result()
        assert summaries.read(client, "00000000-0000-0000-0000-000000000000") is None


def test_a_lasting_fault_fails_at_once_and_says_what_to_do(
    serve: Serve, run: Callable[..., State[Any]], tmp_path: Path
) -> None:
    served = serve({"status": 404})
    state = run(served.url)
    assert state.is_failed()
    assert "answered 404" in str(state.message) and "source_url" in str(state.message)
    assert len(served.requests) == 1
    assert list((tmp_path / "tmp").iterdir()) == []


def test_too_many_refused_records_load_nothing(
    serve: Serve, run: Callable[..., State[Any]], tmp_path: Path
) -> None:
    state = run(serve({"body": TEN + b'{"id": "x"}\n'}).url)
    assert state.is_failed()
    assert "contract.py" in str(state.message)
    assert len(list((tmp_path / "refused").iterdir())) == 1
    assert not (tmp_path / "w.duckdb").exists()


def test_a_repeated_run_changes_nothing(
    serve: Serve, run: Callable[..., State[Any]], tmp_path: Path
) -> None:
    served = serve({"body": TEN})
    first = run(served.url).result()
    second = run(served.url).result()
    assert (second.rows_unchanged, second.rows_inserted) == (10, 0)
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        loaded_by = connection.execute("SELECT DISTINCT _run_id FROM things").fetchall()
    assert loaded_by == [(first.run_id,)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"source_url": "nowhere.csv", "batch_size": 0},
        {"source_url": "nowhere.csv", "target": "https://x/y"},
        {"source_url": "nowhere.csv", "batchsize": 5},
        {"source_url": "ftp://x"},
        {},
    ],
)
def test_a_parameter_out_of_bounds_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises((ParameterTypeError, ParameterBindError, SignatureMismatchError)):
        data_pipeline(**wrong)


def test_the_server_knows_the_bounds_too() -> None:
    properties = parameter_schema(data_pipeline.fn).properties
    assert properties["batch_size"]["minimum"] == 1
    assert properties["batch_size"]["maximum"] == 1_000_000
    assert "pattern" in properties["source_url"]


class Dated(BaseModel):
    id: int
    at: AwareDatetime
    name: str = "?"


@pytest.fixture
def dated_contract(small_contract: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A contract with a watermark."""
    contract = Contract(Dated, ("id",), "things", watermark="at", overlap=timedelta(days=1))
    monkeypatch.setattr(flow_module, "CONTRACT", contract)
    monkeypatch.setattr(load_module, "CONTRACT", contract)


def dated(*pairs: tuple[int, int, str]) -> bytes:
    return b"".join(
        b'{"id": %d, "at": "2026-05-%02dT00:00:00Z", "name": "%s"}\n' % (key, day, name.encode())
        for key, day, name in pairs
    )


@pytest.mark.usefixtures("dated_contract")
def test_an_incremental_run_takes_what_is_new_and_what_is_late_within_the_overlap(
    serve: Serve, run: Callable[..., State[Any]], tmp_path: Path
) -> None:
    first = dated((1, 1, "a"), (2, 5, "b"))
    # 1 changed without a new date; 3 is late, but within a day of the last; 4 is too late.
    second = dated((1, 1, "changed"), (3, 4, "late"), (4, 3, "too late"), (5, 9, "new"))
    served = serve({"body": first}, {"body": second})
    assert run(served.url, mode="incremental").result().rows_loaded == 2
    again = run(served.url, mode="incremental").result()
    assert (again.rows_read, again.rows_inserted, again.rows_loaded) == (4, 2, 2)
    assert again.watermark == "2026-05-09T00:00:00+00:00"
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        names = connection.execute("SELECT id, name FROM things ORDER BY id").fetchall()
    assert names == [(1, "a"), (2, "b"), (3, "late"), (5, "new")]


@pytest.mark.usefixtures("dated_contract")
def test_a_backfill_takes_its_range_and_no_more(
    serve: Serve, run: Callable[..., State[Any]], tmp_path: Path
) -> None:
    served = serve({"body": dated((1, 1, "a"), (2, 5, "b"), (3, 9, "c"))})
    found = run(served.url, mode="backfill", since="2026-05-02", until="2026-05-09").result()
    assert (found.rows_read, found.rows_loaded) == (3, 1)
    refused = run(served.url, mode="backfill", since="2026-05-09", until="2026-05-02")
    assert refused.is_failed() and "the first before the second" in str(refused.message)


def test_a_source_that_shrank_replaces_nothing(
    serve: Serve, run: Callable[..., State[Any]], tmp_path: Path
) -> None:
    served = serve({"body": TEN}, {"body": TEN[:30]}, {"body": b""})
    assert run(served.url).is_completed()
    for _ in range(2):
        state = run(served.url)
        assert state.is_failed() and "WHEN_SHRUNK" in str(state.message)
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        assert connection.execute("SELECT count(*) FROM things").fetchall() == [(10,)]


def test_a_source_that_shrank_is_loaded_with_a_warning_where_that_is_set(
    serve: Serve,
    run: Callable[..., State[Any]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(load_module, "GUARD", Guard(0.5, WhenShrunk.WARN))
    served = serve({"body": TEN}, {"body": TEN[:30]})
    run(served.url)
    assert run(served.url).result().rows_loaded == 3
    warned = [one.message for one in caplog.records if one.levelname == "WARNING"]
    assert any(f"{served.url} brought 3 records, and 10 at the last" in one for one in warned)


def test_without_a_key_a_run_replaces_another_sources_rows_only_where_it_may(
    serve: Serve, run: Callable[..., State[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (flow_module, load_module):
        monkeypatch.setattr(module, "CONTRACT", Contract(Small, (), "things"))
    run(serve({"body": TEN}).url)
    other = serve({"body": TEN[:30]}).url
    state = run(other)
    assert state.is_failed() and "accept_other_source=true" in str(state.message)
    assert run(other, accept_other_source=True).result().rows_loaded == 3


def test_a_target_is_chosen_by_its_url(
    serve: Serve, run: Callable[..., State[Any]], tmp_path: Path
) -> None:
    state = run(serve({"body": TEN}).url, target=f"parquet:///{tmp_path / 'lake'}")
    assert state.result().rows_loaded == 10
    (file,) = (tmp_path / "lake").glob("*.parquet")
    assert duckdb.sql(f"SELECT count(*) FROM '{file}'").fetchall() == [(10,)]


def test_a_runs_name_says_what_ran_and_holds_no_secret(
    serve: Serve, run: Callable[..., State[Any]]
) -> None:
    url = serve({"body": TEN}).url.replace("http://", "http://me:hidden@") + "?token=hidden"
    name = _flow_run(run(url)).name
    assert re.fullmatch(r"[a-z]+-[a-z]+: full, orders\.ndjson", name)


def test_a_run_leaves_a_secret_of_its_address_nowhere(
    serve: Serve,
    run: Callable[..., State[Any]],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    served = serve({"body": TEN * 3 + b'{"id": "x"}\n'})
    with caplog.at_level("INFO"):
        state = run(served.url.replace("http://", "http://me:hidden@") + "?token=hidden")
    shown = served.url.replace("http://", "http://me:***@") + "?token=***"
    flow_run_id = state.state_details.flow_run_id
    assert flow_run_id
    with get_client(sync_client=True) as client:
        wanted = ArtifactFilterFlowRunId(any_=[flow_run_id])
        artifacts = client.read_artifacts(artifact_filter=ArtifactFilter(flow_run_id=wanted))
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        ledger = str(connection.execute("FROM _blueprint_loads").fetchall())
    (refused,) = (path for path in (tmp_path / "refused").rglob("*") if path.is_file())
    for left in (caplog.text, str(artifacts), ledger, refused.read_text("utf-8")):
        assert shown in left and "hidden" not in left


def test_a_run_that_takes_too_long_is_ended_and_not_retried(
    serve: Serve, run: Callable[..., State[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve({"body": TEN})

    def slow(*_given: Any) -> None:
        for _ in range(300):  # one call is never interrupted, only what lies between two
            time.sleep(0.1)

    monkeypatch.setattr(flow_module, "extract", slow)
    monkeypatch.setattr(flow_module.extract_source, "timeout_seconds", 0.5)
    began = time.monotonic()
    state = run(served.url)
    assert state.is_failed() and "timed out" in str(state.message).lower()
    assert time.monotonic() - began < 15
    assert task_runs(state)["extract"].run_count == 1
    monkeypatch.setattr(flow_module.extract_source, "timeout_seconds", None)
    monkeypatch.setattr(data_pipeline, "timeout_seconds", 0.5)
    assert run(served.url).name == "TimedOut"


def test_nothing_is_taken_from_a_cache_even_where_results_are_kept(
    serve: Serve, run: Callable[..., State[Any]]
) -> None:
    served = serve({"body": TEN}, {"body": TEN[:90]})
    with temporary_settings({PREFECT_RESULTS_PERSIST_BY_DEFAULT: True}):
        first, second = run(served.url), run(served.url)
    assert len(served.requests) == 2
    assert {one.state_name for one in task_runs(second).values()} == {"Completed"}
    assert first.is_completed() and second.is_completed()


def test_a_failed_run_says_what_to_do_next_in_its_log(
    serve: Serve, run: Callable[..., State[Any]], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("ERROR"):
        run(serve({"status": 404}).url)
    assert any("run it again with the same parameters" in one.message for one in caplog.records)


def test_a_runs_log_says_how_its_records_were_judged(
    serve: Serve, run: Callable[..., State[Any]], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        run(serve({"body": TEN}).url)
    assert "Judged 10 records, accepted 10: the gate" in caplog.messages


def test_a_runs_log_warns_of_a_transform_of_one_record(
    serve: Serve,
    run: Callable[..., State[Any]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(flow_module, "transform", each_record(lambda record: record))
    with caplog.at_level("WARNING"):
        assert run(serve({"body": TEN}).url).result().rows_loaded == 10
    assert any("slow: it is given one record at a time" in text for text in caplog.messages)


def test_the_limits_of_a_run_stand_in_config() -> None:
    assert data_pipeline.timeout_seconds == config.RUN_TIMEOUT
    assert flow_module.extract_source.timeout_seconds == config.EXTRACT_TIMEOUT
    assert isinstance(flow_module.RUNNER, ThreadPoolTaskRunner)
    assert flow_module.RUNNER._max_workers == config.MAX_WORKERS


def _flow_run(state: State[Any]) -> FlowRun:
    flow_run_id = state.state_details.flow_run_id
    assert flow_run_id
    with get_client(sync_client=True) as client:
        return client.read_flow_run(flow_run_id)
