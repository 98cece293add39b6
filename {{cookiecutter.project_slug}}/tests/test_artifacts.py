"""What a run leaves on the server, and what is read of it again."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.objects import State
from pydantic import BaseModel

from blueprint import show
from ingest.contract import Contract
from ingest.errors import PipelineError
from ingest.formats import Format
from ingest.loading import Loaded, Ready
from ingest.steps import Judged, Refused, SourceFile
from ingest.summary import RunSummary
from runtime import report as reports
from runtime import summary as summaries
from runtime.report import reported
from runtime.work import run_id

HERE = Path("/there")
SOURCE = SourceFile(HERE, Format.NDJSON, "https://host/orders", 5000)


class Thing(BaseModel):
    id: int


CONTRACT = Contract(Thing, ("id",), "things")


class Stopped(PipelineError):
    judged: Judged | None = None


def judged(read: int) -> Judged:
    refused = (Refused(3, "id", "not a number", '{"id": "x"}'),)
    return Judged(HERE, read, 1, (("id: not a number", 1),), refused, HERE / "q", "one by one")


def one_run(
    name: str,
    body: Callable[[reports.Report], None],
    retries: int = 0,
    target: str = "w.duckdb",
) -> State[Any]:
    @flow(name=name, retries=retries)
    def pipeline() -> RunSummary:
        with reported(run_id(), CONTRACT, target) as report:
            body(report)
        return report.summary

    options: Any = {"return_state": True}
    return cast("State[Any]", pipeline(**options))


def complete(report: reports.Report) -> None:
    report.source, report.judged = SOURCE, judged(100)
    report.ready, report.loaded = Ready(HERE, 99, 0, 99), Loaded(90, 5, 4)


def left(name: str, kind: str) -> list[str]:
    """The data of the artifacts of one kind, the oldest first."""
    key = summaries.artifact_key(name, None, kind)
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
        )
    return [str(one.data) for one in sorted(found, key=lambda one: str(one.created))]


def of_run(state: State[Any]) -> RunSummary | None:
    flow_run_id = state.state_details.flow_run_id
    assert flow_run_id
    with get_client(sync_client=True) as client:
        return summaries.read(client, flow_run_id)


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_a_completed_run_is_read_back_exactly_and_charted_with_those_before_it() -> None:
    first, second = one_run("Exact", complete), one_run("Exact", complete)
    assert of_run(first) == first.result()
    assert of_run(second) == second.result() != first.result()
    page = left("Exact", "summary")[-1]
    assert page.count("█  99  1 refused") == 2
    assert "not a number" in page


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_runs_into_another_target_are_not_charted() -> None:
    one_run("Scratch", complete, target="scratch.duckdb")
    one_run("Scratch", complete)
    assert left("Scratch", "summary")[-1].count("1 refused") == 1


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_a_failed_run_leaves_what_was_counted_until_then() -> None:
    def fail(report: reports.Report) -> None:
        report.source = SOURCE
        error = Stopped("Too many records were refused.")
        error.judged = judged(40)
        raise error

    state = one_run("Failing", fail)
    assert state.is_failed() and "Too many" in str(state.message)
    summary = of_run(state)
    assert summary is not None
    assert (summary.error, summary.rows_read) == ("Too many records were refused.", 40)
    assert summary.reasons == {"id: not a number": 1}
    assert left("Failing", "summary")[-1].startswith("# Failed")


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_of_two_attempts_of_a_run_the_later_one_counts() -> None:
    attempts: list[int] = []

    def body(report: reports.Report) -> None:
        attempts.append(1)
        if len(attempts) == 1:
            raise Stopped("not yet")
        complete(report)

    state = one_run("Trying", body, retries=1)
    summary = of_run(state)
    assert summary is not None and summary.error is None
    assert len(left("Trying", "facts")) == 2


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_a_summary_that_cannot_be_published_fails_no_run(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(summary: RunSummary) -> None:
        raise ConnectionError("the API does not answer")

    monkeypatch.setattr(reports, "publish", refuse)
    with caplog.at_level(logging.WARNING):
        state = one_run("Unheard", complete)
    assert state.is_completed() and state.result().rows_loaded == 99
    assert "the API does not answer" in caplog.text


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_what_another_version_wrote_is_passed_over() -> None:
    key = summaries.artifact_key("Updated", None, "facts")
    with get_client(sync_client=True) as client:
        for data in ('[{"fact": "rows", "value": 1}]', "null", "[]"):
            client.create_artifact(ArtifactCreate(key=key, type="table", data=data))
    state = one_run("Updated", complete)
    with get_client(sync_client=True) as client:
        assert summaries.history(client, key, 10) == [state.result()]


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_a_run_without_a_summary_reads_as_none() -> None:
    with get_client(sync_client=True) as client:
        assert summaries.read(client, uuid4()) is None
        assert summaries.read_all(client, []) == {}


def test_status_shows_a_run_that_left_no_summary_too(capsys: pytest.CaptureFixture[str]) -> None:
    show.runs(
        [
            ("brave-otter", "Completed", None, (1001, 1, 1000)),
            ("late-crow", "Failed", None, None),
        ]
    )
    lines = capsys.readouterr().out.splitlines()
    assert any("brave-otter" in line and "1,000" in line for line in lines)
    assert any("late-crow" in line and "Failed" in line for line in lines)


def test_two_pipelines_of_one_server_share_no_key() -> None:
    names: list[tuple[str, str | None]] = [
        ("Orders", "eu-daily"),
        ("Orders eu", "daily"),
        ("Orders", None),
        ("注文", None),
        ("顧客", None),
        ("Été", None),
        ("Et", None),
    ]
    keys = [summaries.artifact_key(flow, deployment, "facts") for flow, deployment in names]
    assert len(set(keys)) == len(names)
    assert keys[0] == "orders--eu-daily--facts"
    for key in keys:
        ArtifactCreate(key=key)  # Prefect's own check
