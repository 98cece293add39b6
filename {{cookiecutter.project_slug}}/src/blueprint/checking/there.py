"""Facts of the server: the pools and their workers, the deployments, their runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateName,
)
from prefect.client.schemas.objects import DeploymentSchedule, FlowRun
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError

from blueprint import deploying, runs, services
from blueprint.checking.facts import Deployment, Pool, Queue, Run, Schedule
from blueprint.manifest import Manifest
from blueprint.processes import WORKER
from blueprint.project import Problem
from runtime.summary import read_all

if TYPE_CHECKING:
    from ingest.summary import RunSummary

CHARTED = 10
"""How many of a deployment's last runs are told of."""
SLACK = timedelta(seconds=15)
"""A run may be due for this long before it counts as waiting: a worker asks every few seconds."""
_WAITING = ["Scheduled", "Late", "Pending"]


def ask(client: SyncPrefectClient, plan: Manifest) -> tuple[str, list[Pool], list[Deployment]]:
    """The server's version, the manifest's pools and its deployments, as the server holds them."""
    pools = [_pool(client, name) for name in plan.pools]
    return _version(client), pools, [_deployment(client, one) for one in plan.deployments]


def _version(client: SyncPrefectClient) -> str:
    try:
        return client.api_version()
    except (PrefectHTTPStatusError, httpx.HTTPError):  # Prefect Cloud tells nobody
        return ""


def _pool(client: SyncPrefectClient, name: str) -> Pool:
    try:
        held = client.read_work_pool(name)
    except ObjectNotFound:
        return Pool(name, found=False)
    return Pool(
        name,
        found=True,
        kind=held.type,
        paused=held.is_paused,
        limit=held.concurrency_limit,
        running=held.active_slots,
        workers=[one.name for one in services.online_workers(client, name, but=_died())],
        queues=[
            Queue(one.name, one.is_paused, one.concurrency_limit)
            for one in client.read_work_queues(work_pool_name=name)
        ],
    )


def _died() -> str | None:
    """This project's worker, where it ended by itself: the server counts on it for a while yet."""
    died = WORKER.record.exists() and WORKER.process() is None
    return services.worker_name() if died else None


def _deployment(client: SyncPrefectClient, one: Mapping[str, Any]) -> Deployment:
    pool = one["work_pool"]["name"]
    try:
        held = deploying.find(client, one)
    except Problem as problem:
        return Deployment(one["name"], pool, missing=str(problem))
    lined_up = runs.scheduled(client, held)
    schedules = client.read_deployment_schedules(held.id)
    # A schedule that is paused or resumed leaves its deployment's time as it is.
    changes = [one.updated for one in (held, *schedules) if one.updated]
    return Deployment(
        one["name"],
        pool,
        full_name=f"{client.read_flow(held.flow_id).name}/{held.name}",
        id=str(held.id),
        paused=held.paused,
        changed=max(changes, default=None),
        differences=deploying.differences(held, one, client),
        schedules=[_schedule(schedule) for schedule in schedules],
        next_run=lined_up[0].expected_start_time if lined_up else None,
        upcoming=len(lined_up),
        waiting=[_run(run) for run in _waiting(client, held)],
        recent=_recent(client, held),
    )


def _schedule(held: DeploymentSchedule) -> Schedule:
    rhythm = held.schedule
    for kind in ("cron", "rrule", "interval"):
        if when := getattr(rhythm, kind, None):
            zone = getattr(rhythm, "timezone", None) or "UTC"
            return Schedule(str(held.id), held.slug or "", str(when), zone, held.active)
    return Schedule(str(held.id), held.slug or "", str(rhythm), "UTC", held.active)


def _waiting(client: SyncPrefectClient, held: DeploymentResponse) -> list[FlowRun]:
    """The runs that are due and not begun, the oldest first.

    Those that wait for a slot or for a retry have other names for their state, and belong there.
    """
    found = client.read_flow_runs(
        deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[held.id])),
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(name=FlowRunFilterStateName(any_=_WAITING)),
            expected_start_time=FlowRunFilterExpectedStartTime(before_=datetime.now(UTC) - SLACK),
        ),
        sort=FlowRunSort.EXPECTED_START_TIME_ASC,
    )
    # A worker needs some seconds to start what it has taken as Pending.
    fresh = datetime.now(UTC) - timedelta(minutes=1)
    return [
        run
        for run in found
        if run.state and (run.state_name != "Pending" or run.state.timestamp < fresh)
    ]


def _recent(client: SyncPrefectClient, held: DeploymentResponse) -> list[Run]:
    recent = runs.recent(client, held, CHARTED)
    summaries = read_all(client, [run.id for run in recent])
    return [_with_counts(_run(run), summaries.get(run.id)) for run in recent]


def _with_counts(run: Run, one: RunSummary | None) -> Run:
    if one is None:
        return run
    return replace(
        run,
        message=one.error or run.message,
        read=one.rows_read,
        refused=one.rows_rejected,
        loaded=one.rows_loaded,
    )


def _run(run: FlowRun) -> Run:
    return Run(
        str(run.id),
        run.name,
        run.state_name or "",
        run.state_type.value if run.state_type else "",
        run.start_time,
        run.expected_start_time,
        round(run.total_run_time.total_seconds(), 1),
        (run.state.message or "") if run.state else "",
    )
