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

from blueprint import automations, owning, pauses, pools, rules, show, withholding
from blueprint.comparing import differences
from blueprint.flows import check_parameters, load_flow
from blueprint.manifest import Manifest, variables
from blueprint.owning import owner
from blueprint.pipelines import tables
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
        Problem: a parameter does not fit the flow, two pipelines load one table, a deployment of
            that name belongs to another project, `prefect deploy` failed, or the server does not hold what the
            manifest says.
    """
    flows = {one["name"]: load_flow(one) for one in plan.deployments}
    tables.refuse_shared(plan.deployments)
    waits = rules.patience(plan.deployments)
    for one in plan.deployments:
        check_parameters(flows[one["name"]], one["name"], one.get("parameters") or {})
        if not take_over:
            owning.refuse_foreign(client, full_name(flows, one))
    for pool in plan.pools:
        ensure_pool(client, pool)
    before = {one["name"]: pauses.look(client, full_name(flows, one)) for one in plan.deployments}
    old = orphans(client, plan, flows)
    with pauses.kept(client, plan.deployments, lambda one: full_name(flows, one), before, old):
        _run_prefect_deploy(plan)
    faults: list[str] = []
    held: dict[str, DeploymentResponse] = {}
    for one in plan.deployments:
        name = one["name"]
        there = client.read_deployment_by_name(full_name(flows, one))
        held[name] = there = _settle(client, there, one, before[name])
        faults += differences(there, one, client, with_version=True)
        show.ok(f"deployed {full_name(flows, one)}")
    _remove(client, old)
    if faults:
        listed = "\n".join(f"  - {fault}" for fault in faults)
        raise Problem(f"The server does not hold what prefect.yaml says:\n{listed}")
    automations.reconcile(client, plan.name, [one.id for one in held.values()], waits)
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


def _remove(client: SyncPrefectClient, old: Mapping[str, DeploymentResponse]) -> None:
    for name, one in old.items():
        client.delete_deployment(one.id)
        show.ok(f"removed the deployment {name}, which prefect.yaml no longer has")


def _settle(
    client: SyncPrefectClient,
    held: DeploymentResponse,
    wanted: Mapping[str, Any],
    before: DeploymentResponse | None,
) -> DeploymentResponse:
    """Put right what `prefect deploy` leaves: schedules that are gone, and runs elsewhere."""
    if before:
        slugs = {one["slug"] for one in wanted.get("schedules") or []}
        for one in client.read_deployment_schedules(held.id):
            if one.slug not in slugs:  # it would fire
                client.delete_deployment_schedule(held.id, one.id)
                slug = one.slug or one.id
                show.ok(f"removed the schedule {slug}, which prefect.yaml no longer has")
        pools.follow_the_pool(client, held)
    return client.read_deployment(held.id)


def _run_prefect_deploy(plan: Manifest) -> None:
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
        printed = withholding.message(done.stdout + done.stderr, plan.deployments)
        raise Problem(f"`prefect deploy` failed:\n{printed}")
