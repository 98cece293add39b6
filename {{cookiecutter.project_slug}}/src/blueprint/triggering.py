"""`blueprint run`: a run on demand, watched to its end; the exit code says how it ended."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    LogFilter,
    LogFilterFlowRunId,
    LogFilterTimestamp,
)
from prefect.client.schemas.objects import FlowRun, Log, StateType
from prefect.client.schemas.sorting import LogSort

from blueprint import deploying, manifest, runs, services, show, withholding
from blueprint.checking.verdict import BLUEPRINT, PREFECT
from blueprint.flows import check_parameters, load_flow
from blueprint.project import Problem, Project
from runtime.summary import read

CODES = {
    StateType.COMPLETED: 0,
    StateType.FAILED: 2,
    StateType.CRASHED: 3,
    StateType.CANCELLED: 4,
}
"""How a run ended, as an exit code. 1: no run was made; 5: no worker took it (NotTaken);
6: it was made, and the server was lost (Lost)."""
_LATE_LINES = timedelta(seconds=5)
_PAGE = 200
"""How many lines a server gives at once."""
_LOG_PATIENCE = 5.0
"""Seconds that the last lines of a run's log are given to arrive; they come a moment after it."""


class Ended(Problem):
    """A run that was watched did not complete."""

    def __init__(self, run: FlowRun) -> None:
        message = run.state.message if run.state else ""
        super().__init__(f"The run {run.name} ended {run.state_name}: {message}")
        self.code = CODES.get(run.state_type or StateType.FAILED, 2)


class Unwatched(Problem):
    """Ctrl-C while a run was watched: the run itself goes on."""

    code = 130


class Lost(Problem):
    """The server no longer answers while a run is watched: how it ends is not known."""

    code = 6


def trigger(
    project: Project,
    parameters: Mapping[str, Any],
    *,
    deployment: str | None = None,
    watch: bool = True,
    as_json: bool = False,
) -> None:
    """Trigger a run of a deployment of the manifest; with `watch`, follow it to its end.

    deployment: its name in the manifest; else the first there.

    Raises:
        Problem: a parameter is refused, and no run was made; no worker takes the run (NotTaken);
            or it did not complete (Ended).
    """
    plan = manifest.load().chosen(deployment)
    flow = load_flow(plan)
    # The flow's own reason, for a person; the server would only tell of its schema.
    given = {**(plan.get("parameters") or {}), **parameters}
    check_parameters(flow, plan["name"], given)
    with services.connected(project) as client:
        run = runs.trigger(client, deploying.find(client, plan), parameters)
        url = f"{project.ui_url}/runs/flow-run/{run.id}"
        if not as_json:
            show.ok(f"run {run.name}: {url}")
        with _watched(run, url):
            if watch:
                run = _followed(client, run, plan["work_pool"]["name"], as_json)
            if as_json:
                shown = withholding.parameters(run.parameters, given, parameters)
                _print(client, run, url, shown)
            elif watch and (summary := read(client, run.id)):
                show.summary(summary)
        if watch and run.state_type != StateType.COMPLETED:
            raise Ended(run)


@contextmanager
def _watched(run: FlowRun, url: str) -> Iterator[None]:
    """A run that was made is told of, also where it can no longer be watched."""
    try:
        yield
    except KeyboardInterrupt:
        raise Unwatched(
            f"The run {run.name} goes on, and is no longer watched: {url}\n"
            f"To end it: {PREFECT} flow-run cancel {run.id}"
        ) from None
    except httpx.HTTPError as error:
        raise Lost(
            f"The run {run.name} was made, and then the server was lost "
            f"({type(error).__name__}): {url}\n"
            f"What became of it: {BLUEPRINT} status, and {PREFECT} flow-run inspect {run.id}"
        ) from None


def _followed(client: SyncPrefectClient, run: FlowRun, pool: str, as_json: bool) -> FlowRun:
    watch = _silent if as_json else _Following(client, run.id)
    run = runs.wait(client, run, pool, watch)
    if isinstance(watch, _Following):
        watch.finish()
    return run


def _silent(_: FlowRun, __: str) -> None:
    """For a reader that wants only the JSON at the end."""


class _Following:
    """Prints the changes of a run's state, and its log as it comes."""

    def __init__(self, client: SyncPrefectClient, run_id: UUID) -> None:
        self._client, self._id = client, run_id
        self._states = runs.Telling()
        self._seen: set[UUID] = set()
        self._last: Log | None = None

    def __call__(self, run: FlowRun, full: str) -> None:
        self._print_log()
        self._states(run, full)

    def finish(self) -> None:
        """The end of the log, which arrives a moment after the run has ended."""
        end = time.monotonic() + _LOG_PATIENCE
        while time.monotonic() < end and not self._is_whole():
            time.sleep(0.2)
            self._print_log()

    def _is_whole(self) -> bool:
        return self._last is not None and is_last(self._last)

    def _print_log(self) -> None:
        # A line may arrive a little after one that is younger.
        since = LogFilterTimestamp(
            after_=self._last.timestamp - _LATE_LINES if self._last else None
        )
        asked = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[self._id]), timestamp=since)
        for line in self._pages(asked):
            if line.id in self._seen:
                continue
            self._seen.add(line.id)
            self._last = line
            first, *_ = line.message.splitlines() or [""]
            show.said(f"{line.timestamp.astimezone():%H:%M:%S}  {first}")

    def _pages(self, asked: LogFilter) -> Iterator[Log]:
        """All that is asked for: what is known already may fill a whole page."""
        offset = 0
        while page := self._client.read_logs(
            asked, limit=_PAGE, offset=offset, sort=LogSort.TIMESTAMP_ASC
        ):
            yield from page
            if len(page) < _PAGE:
                return
            offset += _PAGE


def is_last(line: Log) -> bool:
    """Whether it is what Prefect writes when a flow run, and not one of its tasks, has ended."""
    return line.task_run_id is None and line.message.startswith("Finished in state")


def _print(client: SyncPrefectClient, run: FlowRun, url: str, shown: Mapping[str, Any]) -> None:
    summary = read(client, run.id)
    facts = {
        "id": str(run.id),
        "name": run.name,
        "state": run.state_name,
        "message": run.state.message if run.state else None,
        "exit_code": CODES.get(run.state_type) if run.state_type else None,
        "parameters": shown,
        "seconds": round(run.total_run_time.total_seconds(), 1),
        "url": url,
        "summary": summary.model_dump(mode="json") if summary else None,
    }
    # Not by rich, which would fold long lines.
    sys.stdout.write(json.dumps(facts, indent=2, default=str) + "\n")
