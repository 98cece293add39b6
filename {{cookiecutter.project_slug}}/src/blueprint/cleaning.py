"""`blueprint cleanup`: takes from the server what this project has deployed, and nothing else."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound

from blueprint import (
    automations,
    done,
    limits,
    manifest,
    notifying,
    owning,
    paging,
    pools,
    readiness,
    services,
    show,
    stopping,
)
from blueprint.processes import WORKER, alone, runs_of
from blueprint.project import Problem, Project


@dataclass
class Plan:
    """What is to be removed, as what a person calls it and how; and what stays, and why."""

    removed: list[tuple[str, Callable[[], object]]] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def cleanup(
    project: Project, *, yes: bool = False, dry_run: bool = False, as_json: bool = False
) -> None:
    """Show what would be removed, ask, and remove it.

    Raises:
        Problem: nobody has confirmed it.
    """
    if as_json and not (yes or dry_run):
        raise Problem("cleanup --json asks nothing: give it --yes, or --dry-run.")
    show.quiet(as_json)
    show.heading("Cleanup")
    with services.connected(project) as client:
        plan = look(client)
        for what, _ in plan.removed:
            show.doing(f"to be removed: {what}")
        for what in plan.left:
            show.warn(f"stays: {what}")
        if not plan.removed:
            show.ok("this project has nothing on the server")
        elif not dry_run:
            confirm(yes, f"Remove these {len(plan.removed)} from the server?", "cleanup")
            remove(plan)
            done.forget("phase2", "phase3")
    if as_json:
        removed = [what for what, _ in plan.removed]
        facts = {"removed": removed, "left": plan.left, "dry_run": dry_run}
        sys.stdout.write(json.dumps(facts, indent=2) + "\n")
    elif not dry_run:
        show.ok("the code, the data and the history of runs are as they were")


def look(client: SyncPrefectClient) -> Plan:
    """What of this project is on the server. By its mark, so not what bears the same names."""
    plan = Plan()
    mine = owning.ours(client)
    for one in automations.held(client):
        plan.removed.append(
            (f"the automation {one.name!r}", lambda one=one: client.delete_automation(one.id))
        )
    for held in mine:
        plan_deployment(client, held, plan)
    if notifying.has_own(client):
        plan.removed.append(
            ("the Webhook block of its notifications", lambda: notifying.remove_own(client))
        )
    made = [pool.name for pool in client.read_work_pools() if pools.is_made_here(pool)]
    named = [one.work_pool_name for one in mine] + _pools_of_the_manifest() + made
    for name in dict.fromkeys(filter(None, named)):
        _pool(client, name, {one.id for one in mine}, plan)
    return plan


def plan_deployment(client: SyncPrefectClient, held: DeploymentResponse, plan: Plan) -> None:
    """Plan the removal of a deployment with what it has lined up; what runs goes on."""
    name = f"{client.read_flow(held.flow_id).name}/{held.name}"
    scheduled = _runs(client, held, [StateType.SCHEDULED])
    for run in scheduled:
        # Those that the schedule has lined up go with the deployment.
        if not run.auto_scheduled or run.run_count:
            plan.removed.append(
                (f"the run {run.name}, not begun", lambda run=run: client.delete_flow_run(run.id))
            )
    plan.removed.append(
        (
            f"the deployment {name}, its schedules and its {len(scheduled)} runs that have not begun",
            lambda: client.delete_deployment(held.id),
        )
    )
    plan.left += [
        f"the run {run.name}, which goes on ({run.state_name})"
        for run in _runs(client, held, paging.ACTIVE)
    ]


def _runs(
    client: SyncPrefectClient, held: DeploymentResponse, states: Sequence[StateType]
) -> list[FlowRun]:
    return list(paging.flow_runs(client, paging.in_states(states), paging.of([held.id])))


def _pools_of_the_manifest() -> list[str]:
    """A deployment that has gone names no pool; a manifest with faults is no reason to stop."""
    try:
        return manifest.load().pools
    except Problem:
        return []


def _pool(client: SyncPrefectClient, name: str, mine: set[object], plan: Plan) -> None:
    try:
        pool = client.read_work_pool(name)
    except ObjectNotFound:
        return
    if not pools.is_made_here(pool):
        plan.left.append(f"the work pool {name!r}, which this project did not make")
        return
    others = [
        f"the deployment {one.name}"
        for one in owning.all_deployments(client)
        if one.work_pool_name == name and one.id not in mine
    ]
    workers = services.online_workers(client, name)
    own = [one for one in workers if one.name == services.worker_name()]
    others += [f"the worker {one.name}" for one in workers if one not in own]
    if others:
        plan.left.append(f"the work pool {name!r}, which others use: {', '.join(others)}")
    elif why := _in_use(name):
        plan.left.append(f"the work pool {name!r}, {why}")
    else:
        plan.removed.append((f"the work pool {name!r}", lambda: _remove_pool(client, name)))


def _in_use(pool: str) -> str:
    """Why this project's own worker keeps the pool; empty where it does not, or may be stopped."""
    if WORKER.process() is None or WORKER.serves != pool:
        return ""
    if WORKER.ours() is None:
        how = readiness.how_to_stop(WORKER)
        return f"which this project's worker serves. {how}"
    return "whose worker has a run in hand" if runs_of(services.worker_name()) else ""


def _remove_pool(client: SyncPrefectClient, name: str) -> None:
    with alone():
        # Since the person was asked, a run may have come, or another worker.
        if why := _in_use(name):
            raise _Stays(why)
        serves = WORKER.ours() is not None and WORKER.serves == name
        if serves and not stopping.stop_worker(client, limits.read().drain_seconds):
            raise _Stays("whose worker has a run in hand")
    client.delete_work_pool(name)


class _Stays(Exception):
    """Why something is not removed after all."""


def remove(plan: Plan) -> None:
    """Remove all of it; the plan then holds what was removed, and what stayed after all."""
    planned, plan.removed = plan.removed, []
    for what, remove in planned:
        try:
            remove()
        except ObjectNotFound:
            pass  # somebody else has removed it meanwhile
        except _Stays as why:
            plan.left.append(f"{what}, {why}")
            show.warn(f"stays: {what}, {why}")
            continue
        plan.removed.append((what, remove))
        show.ok(f"removed {what}")


def confirm(yes: bool, question: str, command: str) -> None:
    """Ask at the terminal, unless it is a yes already. Raises Problem where it is none."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Problem(
            f"Nothing was removed: there is no terminal to ask at. To remove it: blueprint {command} --yes"
        )
    try:
        answer = input(f"{question} [y/N] ")
    except EOFError:  # Ctrl-D
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise Problem("Nothing was removed.")
