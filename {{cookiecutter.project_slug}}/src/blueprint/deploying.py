"""Deploys the manifest and makes sure that the server holds what it says.

Prefect's own `prefect deploy` does the deploying. What it does in silence (a schedule or a
deployment that was taken out of the manifest stays active, a namesake is overwritten) is looked
after here.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import ObjectNotFound
from prefect.flows import Flow

from blueprint import automations, owning, pools, rules, show
from blueprint.comparing import differences
from blueprint.flows import check_parameters, load_flow
from blueprint.manifest import Manifest, variables
from blueprint.owning import owner
from blueprint.pools import ensure_pool
from blueprint.project import Problem, mark
from runtime.project import ROOT

if TYPE_CHECKING:
    from prefect.client.schemas.responses import DeploymentResponse

__all__ = ["deploy", "differences", "ensure_pool", "find", "orphans", "owner"]


def deploy(client: SyncPrefectClient, plan: Manifest, take_over: bool = False) -> None:
    """Deploy all that the manifest says, and compare what the server then holds with it.

    Args:
        client: a client of the project's API.
        plan: the linted manifest.
        take_over: overwrite a deployment of the same name that another project made.

    Raises:
        Problem: a parameter does not fit the flow, a deployment of that name belongs to
            another project, `prefect deploy` failed, or the server does not hold what the
            manifest says.
    """
    named = {one["name"]: one for one in plan.deployments}
    flows = {name: load_flow(one) for name, one in named.items()}
    waits = rules.patience(plan.deployments)
    for one in plan.deployments:
        check_parameters(flows[one["name"]], one["name"], one.get("parameters") or {})
        if not take_over:
            owning.refuse_foreign(client, full_name(flows, one))
    for pool in plan.pools:
        ensure_pool(client, pool)
    before = {name: _schedules_of(client, full_name(flows, one)) for name, one in named.items()}
    _run_prefect_deploy()
    faults: list[str] = []
    ids = []
    for one in plan.deployments:
        held = client.read_deployment_by_name(full_name(flows, one))
        held = _drop_old_schedules(client, held, one, before[one["name"]])
        faults += differences(held, one, client, with_version=True)
        pools.follow_the_pool(client, held)
        ids.append(held.id)
        show.ok(f"deployed {full_name(flows, one)}")
    for name, old in orphans(client, plan, flows).items():
        client.delete_deployment(old.id)
        show.ok(f"removed the deployment {name}, which prefect.yaml no longer has")
        if old.paused or (old.schedules and not any(one.active for one in old.schedules)):
            show.warn("it was paused: pause the one that replaces it, if there is one")
    if faults:
        listed = "\n".join(f"  - {fault}" for fault in faults)
        raise Problem(f"The server does not hold what prefect.yaml says:\n{listed}")
    automations.reconcile(client, plan.name, ids, waits)
    show.ok("what the server holds equals prefect.yaml; automations look after its runs")


def orphans(
    client: SyncPrefectClient, plan: Manifest, flows: Mapping[str, Flow[..., Any]]
) -> dict[str, DeploymentResponse]:
    """This project's deployments that the manifest does not have (any more), by full name."""
    kept = {full_name(flows, one) for one in plan.deployments}
    found = {}
    for one in owning.ours(client):
        name = f"{client.read_flow(one.flow_id).name}/{one.name}"
        if name not in kept:
            found[name] = one
    return found


def find(client: SyncPrefectClient, deployment: Mapping[str, Any]) -> DeploymentResponse:
    """The server's deployment for one of the manifest's.

    Raises:
        Problem: there is none, or it belongs to another project.
    """
    name = f"{load_flow(deployment).name}/{deployment['name']}"
    try:
        held = client.read_deployment_by_name(name)
    except ObjectNotFound:
        raise Problem(
            f"Deployment not found: the server has no {name!r}.\n"
            "Deploy it: scripts/phase2_execute.sh, or `blueprint deploy`."
        ) from None
    if owner(held) != mark():
        raise Problem(owning.foreign(name, held))
    return held


def full_name(flows: Mapping[str, Flow[..., Any]], deployment: Mapping[str, Any]) -> str:
    """As Prefect names a deployment: flow/deployment."""
    return f"{flows[deployment['name']].name}/{deployment['name']}"


def _schedules_of(client: SyncPrefectClient, name: str) -> dict[str | None, bool]:
    """The slugs of a deployment's schedules, and whether each is active; none where there is none."""
    try:
        held = client.read_deployment_by_name(name)
    except ObjectNotFound:
        return {}
    return {one.slug: one.active for one in client.read_deployment_schedules(held.id)}


def _drop_old_schedules(
    client: SyncPrefectClient,
    held: DeploymentResponse,
    wanted: Mapping[str, Any],
    before: Mapping[str | None, bool],
) -> DeploymentResponse:
    """`prefect deploy` leaves a schedule active that the manifest no longer has: it would fire.

    Where all of those were paused, so are the ones that came in the same deploy: a schedule that
    an operator has paused does not run by itself because it was given another name.
    """
    slugs = {one["slug"] for one in wanted.get("schedules") or []}
    old = before.keys() - slugs
    paused = bool(old) and not any(before[slug] for slug in old)
    for one in client.read_deployment_schedules(held.id):
        if one.slug not in slugs:
            client.delete_deployment_schedule(held.id, one.id)
            show.ok(f"removed the schedule {one.slug or one.id}, which prefect.yaml no longer has")
        elif paused and one.active and one.slug not in before:
            client.update_deployment_schedule(held.id, one.id, active=False)
            show.warn(f"the schedule {one.slug} is paused, as the one was that it replaces")
    return client.read_deployment(held.id)


def _run_prefect_deploy() -> None:
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **variables()},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise Problem(f"`prefect deploy` failed:\n{done.stdout}{done.stderr}")
