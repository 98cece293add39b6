"""`blueprint down`: stops what this project started, and nothing that others use."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.states import Crashed

from blueprint import deploying, services, show
from blueprint.processes import SERVER, WORKER
from blueprint.project import Problem, Project, mark

PATIENCE = 60
"""Seconds that the runs which this project's worker has in hand are given to end."""


def down(project: Project) -> None:
    """Stop the worker, then the server, as far as this project started them.

    Both stay up while another project's run is in the worker's hands, and the server while
    another project's worker or run uses it.
    """
    show.heading("Down")
    if WORKER.process() is None and SERVER.process() is None:
        show.ok("nothing runs that this project started")
        return
    # The settings may have changed since the server was started.
    there = replace(project, api_url=SERVER.serves or project.api_url)
    with ExitStack() as stack:
        client: SyncPrefectClient | None = None
        try:
            client = stack.enter_context(services.connected(there))
        except (Problem, httpx.HTTPError) as error:
            reason = str(error).splitlines()[0]
            show.warn(f"stopping without asking the server who uses it: {reason}")
        if WORKER.process() is not None and not _stop_worker(client):
            return
        if SERVER.process() is not None:
            _stop_server(client, there)


def _stop_worker(client: SyncPrefectClient | None) -> bool:
    """Whether the worker was stopped: not while it has a run of another project."""
    left = _let_end()
    runs = _read(client, left) if client else []
    if client and (foreign := [run.name for run in runs if not _is_mine(client, run)]):
        show.warn(
            f"the worker and the server stay up: the worker has runs of other projects in hand, "
            f"{', '.join(foreign)}. Try again when they have ended."
        )
        return False
    pool = WORKER.serves
    WORKER.stop()
    show.ok("the worker is stopped")
    if client:
        services.forget(client, pool)
        for run in runs:
            # Its process has gone with the worker; the server would show it as running.
            message = "Its worker was stopped by `blueprint down`."
            client.set_flow_run_state(run.id, Crashed(message=message), force=True)
            show.warn(f"the run {run.name} was ended before it was done")
    return True


def _stop_server(client: SyncPrefectClient | None, there: Project) -> None:
    users = _other_users(client) if client else []
    if users:
        show.warn(
            f"the server at {there.api_url} stays up, since others use it: {', '.join(users)}"
        )
        return
    SERVER.stop()
    show.ok("the server is stopped")


def _let_end() -> list[str]:
    """Wait for the runs that the worker has in hand; the ids of those that did not end in time."""
    began = time.monotonic()
    told = False
    while (in_hand := WORKER.runs_in_hand()) and time.monotonic() - began < PATIENCE:
        if not told:
            show.doing(f"waiting up to {PATIENCE} s for the worker's {len(in_hand)} runs to end")
            told = True
        time.sleep(0.5)
    return in_hand


def _read(client: SyncPrefectClient, ids: list[str]) -> list[FlowRun]:
    """Those of the runs that have not ended."""
    found = []
    for one in ids:
        try:
            run = client.read_flow_run(UUID(one))
        except ObjectNotFound:
            continue
        if run.state is None or not run.state.is_final():
            found.append(run)
    return found


def _is_mine(client: SyncPrefectClient, run: FlowRun) -> bool:
    if run.deployment_id is None:
        return False
    try:
        return deploying.owner(client.read_deployment(run.deployment_id)) == mark()
    except ObjectNotFound:  # the deployment was deleted while the run went on
        return False


def _other_users(client: SyncPrefectClient) -> list[str]:
    """Workers and runs of others that would lose the server."""
    active = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]
    state = FlowRunFilterState(type=FlowRunFilterStateType(any_=active))
    try:
        users = [
            f"worker {worker.name}"
            for pool in client.read_work_pools()
            for worker in services.online_workers(client, pool.name, but=services.worker_name())
        ]
        runs = client.read_flow_runs(flow_run_filter=FlowRunFilter(state=state))
    except (PrefectHTTPStatusError, httpx.HTTPError) as error:
        raise Problem(
            f"Whether others use the server cannot be told ({error}), so it stays up.\n"
            "Try again; its log is in .blueprint/logs/server.log."
        ) from None
    return users + [f"run {run.name}" for run in runs if not _is_mine(client, run)]
