"""What became of a worker's runs: none stays Running on the server when its process is gone."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Crashed

from blueprint import paging, show
from blueprint.processes import runs_of

_LABEL = "prefect.worker.name"  # Prefect's worker gives its name to each run that it takes


def names(client: SyncPrefectClient | None, runs: Collection[str]) -> list[str]:
    """What the runs are called, as far as the server can be asked; else their ids."""
    found = [_read(client, run) for run in sorted(runs)] if client else []
    return [run.name for run in found if run] or sorted(runs)


def report(client: SyncPrefectClient, worker: str, seen: Collection[str] = ()) -> None:
    """While no worker of that name works: no run of its stays as if it went on.

    What was cut short is told. A run is the worker's by the label that the worker gave it, or was
    seen among its processes; one whose process still runs is left alone.
    """
    active = paging.flow_runs(client, paging.in_states(paging.ACTIVE))
    lost = {run.id: run for run in active if run.labels.get(_LABEL) == worker}
    for one in seen:
        run = _read(client, one)
        if run and run.state_type in paging.ACTIVE:
            lost[run.id] = run
    there = runs_of(worker)
    for run in lost.values():
        if str(run.id) in there:
            continue
        message = "Its worker and its process have ended without it."
        asked_for = run.state_type == StateType.CANCELLING
        state = Cancelled(message=message) if asked_for else Crashed(message=message)
        client.set_flow_run_state(run.id, state, force=True)
    for one in {*seen, *map(str, lost)}:
        run = _read(client, one)
        if run and run.state_type in (StateType.CRASHED, StateType.CANCELLED):
            show.warn(f"the run {run.name} was ended before it was done, and is {run.state_name}")


def _read(client: SyncPrefectClient | None, run: str) -> FlowRun | None:
    if client is None:
        return None
    with suppress(ObjectNotFound, httpx.HTTPError):
        return client.read_flow_run(UUID(run))
    return None
