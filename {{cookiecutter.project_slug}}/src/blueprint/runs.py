"""Flow runs: triggered, awaited, refused; and the ones that the schedule has lined up."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import PrefectHTTPStatusError
from prefect.states import Cancelled

from blueprint import pools, show, withholding
from blueprint.checking.verdict import BLUEPRINT
from blueprint.project import Problem
from blueprint.schedules import next_times

if TYPE_CHECKING:
    from prefect.client.schemas.responses import DeploymentResponse

PICK_UP = 120
"""Seconds within which a worker has to take a run."""
SCHEDULER_PATIENCE = 120
"""Seconds within which the server's scheduler has to line runs up; it looks once a minute."""
AWAITING = "AwaitingConcurrencySlot"
_QUEUED = ("Scheduled", "Late")
"""The names of the states of a run that no worker has taken yet. One that waits for a retry or a
slot is of their type; one that is Pending was taken, and the automations look after it."""
_LOOK = 5
"""Seconds between two looks at whether its pool is full."""


class NotTaken(Problem):
    """No worker took a run."""

    code = 5


def trigger(
    client: SyncPrefectClient,
    deployment: DeploymentResponse,
    parameters: Mapping[str, Any] | None = None,
) -> FlowRun:
    """Ask for a run now.

    Raises:
        Problem: the server refuses the parameters.
    """
    given = dict(parameters or {})
    if unknown := given.keys() - _known_parameters(deployment):
        raise Problem(
            f"The flow has no parameter {', '.join(sorted(unknown))}. "
            f"It has: {', '.join(sorted(_known_parameters(deployment)))}."
        )
    try:
        return client.create_flow_run_from_deployment(deployment.id, parameters=given)
    except PrefectHTTPStatusError as error:
        if error.response.status_code not in (400, 409, 422):
            raise
        # It repeats the value that it refuses.
        told = withholding.message(_detail(error), None)
        raise Problem(f"The server refuses these parameters: {told}") from None


def wait(
    client: SyncPrefectClient,
    run: FlowRun,
    pool: str,
    watch: Callable[[FlowRun, str], None] | None = None,
) -> FlowRun:
    """Wait until a run has ended.

    Tells of each change of its state; `watch` does it in its place, and is called at each look,
    also with why the run waits in the queue, where that is known.
    A run is waited for as long as it takes where another one of its deployment has to end first,
    its pool or queue is full, or a worker has taken it.

    Raises:
        NotTaken: no worker took the run.
    """
    seen = watch or Telling()
    waiting = looked = time.monotonic()
    full = ""
    while True:
        run = client.read_flow_run(run.id)
        now = time.monotonic()
        seen(run, full)
        if run.state is not None and run.state.is_final():
            return run
        if run.state_name not in _QUEUED:
            waiting, full = now, ""
        elif now - looked >= _LOOK:
            looked, full = now, pools.why_full(client, pool, run.work_queue_name)
            waiting = now if full else waiting
        if now - waiting > PICK_UP:
            # Left in the queue, it would run whenever a worker comes.
            client.set_flow_run_state(run.id, Cancelled(message="No worker took it."), force=True)
            raise NotTaken(
                f"The run {run.name} was still {run.state_name} after {PICK_UP} s, since no worker "
                f"took it, and was cancelled.\n{pools.start_worker(pool)}\n"
                f"Is the pool paused? `{BLUEPRINT} status` tells."
            )
        time.sleep(0.5)


class Telling:
    """Prints each change of a run's state, and that it is waited for every 30 seconds."""

    def __init__(self) -> None:
        self._began = self._told = time.monotonic()
        self._state: str | None = None

    def __call__(self, run: FlowRun, full: str = "") -> None:
        now = time.monotonic()
        if run.state_name != self._state or now - self._told >= 30:
            self._state, self._told = run.state_name, now
            why = "another run of this deployment goes on" if run.state_name == AWAITING else full
            since = f", since {why}" if why else ""
            show.doing(f"run {run.name} is {run.state_name} ({now - self._began:.0f} s){since}")


def completed(run: FlowRun) -> FlowRun:
    """The run, if it completed.

    Raises:
        Problem: it did not; the message is the run's own.
    """
    if run.state_type == StateType.COMPLETED:
        return run
    message = run.state.message if run.state else ""
    raise Problem(f"The run {run.name} ended {run.state_name}: {message}")


def await_scheduled(
    client: SyncPrefectClient, deployment: DeploymentResponse, slug: str
) -> list[FlowRun]:
    """The runs that one of the schedules has lined up, soonest first.

    A deployment can show an active schedule for which no run is ever made, so the runs
    themselves are looked for.

    Raises:
        Problem: the schedule is paused, or no run was lined up in time.
    """
    found = [one for one in client.read_deployment_schedules(deployment.id) if one.slug == slug]
    if deployment.paused or not found or not found[0].active:
        raise Problem(
            f"The schedule {slug!r} of {deployment.name!r} is paused: nothing runs by itself. "
            "Resume it in the UI, on the deployment's page."
        )
    began = time.monotonic()
    while True:
        made = [run for run in scheduled(client, deployment) if _made_by(run) == found[0].id]
        if made:
            return made
        if time.monotonic() - began > SCHEDULER_PATIENCE:
            raise Problem(
                f"The schedule is active, and yet the server lined up no run in {SCHEDULER_PATIENCE} s.\n"
                "Its scheduler does not work: do the server's packages fit requirements.lock?"
            )
        time.sleep(1)


def _made_by(run: FlowRun) -> UUID | None:
    return run.created_by.id if run.created_by else None


def scheduled(client: SyncPrefectClient, deployment: DeploymentResponse) -> list[FlowRun]:
    """The runs now lined up by the schedules, soonest first.

    A worker takes a run as Pending some seconds before its time; it is still to come.
    """
    runs = client.read_flow_runs(
        deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment.id])),
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(
                type=FlowRunFilterStateType(any_=[StateType.SCHEDULED, StateType.PENDING])
            ),
            expected_start_time=FlowRunFilterExpectedStartTime(after_=datetime.now(UTC)),
        ),
        sort=FlowRunSort.EXPECTED_START_TIME_ASC,
    )
    return [run for run in runs if run.auto_scheduled]


def check_next(runs: list[FlowRun], schedule: Mapping[str, Any]) -> datetime:
    """The next scheduled run's time in its timezone, held against the cron schedule.

    Raises:
        Problem: it is not when the schedule says.
    """
    timezone = schedule.get("timezone") or "UTC"
    due = runs[0].expected_start_time
    if due is None:
        raise Problem(f"The scheduled run {runs[0].name} has no start time.")
    due = due.astimezone(ZoneInfo(timezone))
    cron = schedule["cron"]
    expected = next_times(cron, timezone, datetime.now(UTC))[0]
    is_due = next_times(cron, timezone, due - timedelta(minutes=1))[0] == due
    # Earlier than expected is right where the minute has turned between the two looks.
    if not is_due or due > expected:
        raise Problem(
            f"The next run is at {due:%Y-%m-%d %H:%M %Z}, and {cron!r} in {timezone} "
            f"means {expected:%Y-%m-%d %H:%M %Z}."
        )
    return due


def recent(
    client: SyncPrefectClient, deployment: DeploymentResponse, count: int = 5
) -> list[FlowRun]:
    """The latest runs that have begun, newest first."""
    return client.read_flow_runs(
        deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment.id])),
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(
                type=FlowRunFilterStateType(not_any_=[StateType.SCHEDULED, StateType.PENDING])
            )
        ),
        sort=FlowRunSort.START_TIME_DESC,
        limit=count,
    )


def _known_parameters(deployment: DeploymentResponse) -> set[str]:
    schema = deployment.parameter_openapi_schema or {}
    return set(schema.get("properties", {}))


def _detail(error: PrefectHTTPStatusError) -> str:
    try:
        return str(error.response.json().get("detail", error))
    except ValueError:
        return str(error)
