"""`blueprint down`: stops what this project started, and nothing that others use."""

from __future__ import annotations

import time

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Crashed

from blueprint import deploying, manifest, services, show
from blueprint.processes import SERVER, WORKER
from blueprint.project import Problem, Project, mark

PATIENCE = 60
"""Seconds that this project's running runs are given to end by themselves."""


def down(project: Project) -> None:
    """Stop the worker, then the server, as far as this project started them.

    The server stays up while another project's worker or run uses it.
    """
    show.heading("Down")
    if WORKER.process() is None and SERVER.process() is None:
        WORKER.stop()
        SERVER.stop()
        show.ok("nothing runs that this project started")
        return
    pools = manifest.load().pools
    try:
        with services.connected(project) as client:
            if WORKER.process() is not None:
                _let_end(client)
            services.stop_worker(client, pools)
            _end_stranded(client)
            users = _other_users(client)
    except (
        Problem,
        httpx.TransportError,
    ):  # the server is gone or ill; the processes end all the same
        services.stop_worker(None, pools)
        users = []
    if users and SERVER.process() is not None:
        show.warn(
            f"the server at {project.api_url} stays up, since others use it: {', '.join(users)}"
        )
        return
    services.stop_server()


def _running(client: SyncPrefectClient) -> list[FlowRun]:
    active = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]
    state = FlowRunFilterState(type=FlowRunFilterStateType(any_=active))
    return client.read_flow_runs(flow_run_filter=FlowRunFilter(state=state))


def _mine(client: SyncPrefectClient) -> list[FlowRun]:
    owners = {run.deployment_id for run in _running(client) if run.deployment_id}
    own = {one for one in owners if deploying.owner(client.read_deployment(one)) == mark()}
    return [run for run in _running(client) if run.deployment_id in own]


def _let_end(client: SyncPrefectClient) -> None:
    began = time.monotonic()
    told = False
    while (mine := _mine(client)) and time.monotonic() - began < PATIENCE:
        if not told:
            show.doing(
                f"waiting up to {PATIENCE} s for {', '.join(run.name for run in mine)} to end"
            )
            told = True
        time.sleep(0.5)


def _end_stranded(client: SyncPrefectClient) -> None:
    """The worker is gone, and so are the runs it had: the server would show them as running."""
    own_worker_ran_them = not any(
        services.online_workers(client, pool) for pool in manifest.load().pools
    )
    for run in _mine(client) if own_worker_ran_them else []:
        message = "Its worker was stopped by `blueprint down`."
        client.set_flow_run_state(run.id, Crashed(message=message), force=True)
        show.warn(f"the run {run.name} was ended before it was done")


def _other_users(client: SyncPrefectClient) -> list[str]:
    """Workers and runs of others that would lose the server."""
    users = [
        f"worker {worker.name}"
        for pool in client.read_work_pools()
        for worker in services.online_workers(client, pool.name, but=services.worker_name())
    ]
    mine = {run.id for run in _mine(client)}
    return users + [f"run {run.name}" for run in _running(client) if run.id not in mine]
