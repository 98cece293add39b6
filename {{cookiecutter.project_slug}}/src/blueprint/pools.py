"""The work pool: made where there is none, known again as made by this project, and left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.states import Scheduled

from blueprint import show
from blueprint.checking.verdict import BLUEPRINT, PREFECT, quoted
from blueprint.project import Problem, mark
from runtime.project import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prefect.client.schemas.objects import FlowRun, WorkPool
    from prefect.client.schemas.responses import DeploymentResponse

_PAGE = 200
"""How many runs a server gives at once."""


def ensure_pool(client: SyncPrefectClient, name: str) -> None:
    """Make the process work pool where there is none.

    Raises:
        Problem: a pool of that name exists and is of another type.
    """
    from prefect.workers.process import ProcessWorker

    try:
        pool = client.read_work_pool(name)
    except ObjectNotFound:
        template = ProcessWorker.get_default_base_job_template()
        asked = WorkPoolCreate(
            name=name, type="process", description=_made_by(), base_job_template=template
        )
        try:
            client.create_work_pool(asked)
            show.ok(f"work pool {name!r} made")
            return
        except ObjectAlreadyExists:  # another project was quicker
            pool = client.read_work_pool(name)
    if pool.type != "process":
        raise Problem(
            f"The work pool {name!r} is of the type {pool.type!r}, and this project runs in a process "
            "pool. Give work_pool.name in prefect.yaml another name."
        )
    paused = " (paused: it starts no run)" if pool.is_paused else ""
    show.ok(f"work pool {name!r} is there{paused}")


def why_full(client: SyncPrefectClient, name: str, queue: str | None) -> str:
    """Why the pool starts no run now though a worker serves it: it or the queue is full."""
    try:
        pool = client.read_work_pool(name)
        queues = client.read_work_queues(work_pool_name=name)
    except ObjectNotFound:
        return ""
    for what, one in (
        (f"the pool {name!r}", pool),
        *((f"the queue {each.name!r}", each) for each in queues if each.name == queue),
    ):
        limit = one.concurrency_limit
        if limit and (one.active_slots or 0) >= limit:
            return f"{what} runs {limit} at once, and is full"
    return ""


def start_worker(pool: str) -> str:
    """What a person types where no worker serves a pool."""
    return f"Start one: {BLUEPRINT} up, or {PREFECT} worker start --pool {quoted(pool)}"


def follow_the_pool(client: SyncPrefectClient, deployment: DeploymentResponse) -> None:
    """Move the runs that wait in another pool than the deployment's into the deployment's.

    `prefect deploy` makes anew what the schedules line up; what a person asked for, and what is
    overdue, stays in the pool that the deployment had, where no worker may look any more.
    """
    # All of them first: moving one while they are paged through would skip others.
    for run in list(_waiting(client, deployment)):
        if run.work_pool_name == deployment.work_pool_name or run.state is None:
            continue
        client.create_flow_run_from_deployment(
            deployment.id,
            parameters=run.parameters,
            name=run.name,
            tags=run.tags,
            state=Scheduled(scheduled_time=run.next_scheduled_start_time),
        )
        client.delete_flow_run(run.id)
        show.ok(f"the run {run.name} waits in {deployment.work_pool_name!r} now")


def _waiting(client: SyncPrefectClient, deployment: DeploymentResponse) -> Iterator[FlowRun]:
    offset = 0
    while page := client.read_flow_runs(
        deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment.id])),
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED]))
        ),
        limit=_PAGE,
        offset=offset,
    ):
        yield from page
        if len(page) < _PAGE:
            return
        offset += _PAGE


def is_made_here(pool: WorkPool) -> bool:
    """Whether this project made the pool: it wrote so into the pool's description."""
    return mark() in (pool.description or "")


def _made_by() -> str:
    return f"Made by the pipeline in {ROOT.name} (project {mark()})."
