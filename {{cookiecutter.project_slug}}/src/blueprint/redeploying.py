"""`blueprint redeploy`: what the server would get that it has not, and then the deployment."""

from __future__ import annotations

import json
import sys

from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import ObjectNotFound

from blueprint import (
    automations,
    deploying,
    done,
    manifest,
    owning,
    rules,
    schedules,
    services,
    show,
)
from blueprint.comparing import differences
from blueprint.flows import load_flow
from blueprint.manifest import Manifest
from blueprint.processes import alone
from blueprint.project import Project

DIFFERS = 2
"""The exit code of a dry run where the server does not hold what the manifest says."""


def redeploy(
    project: Project, *, dry_run: bool = False, as_json: bool = False, take_over: bool = False
) -> int:
    """Lint, show the differences, deploy and reconcile; gives the exit code.

    Raises:
        Problem: see `deploying.deploy`.
    """
    show.quiet(as_json)
    show.heading("Redeploy")
    plan = manifest.load()
    show.ok("prefect.yaml is in order")
    for warning in schedules.warnings(plan.deployments):
        show.warn(warning)
    with services.connected(project) as client:
        found = changes(client, plan, take_over)
        for one in found:
            show.doing(one)
        if not found:
            show.ok("the server holds what prefect.yaml says")
        if not dry_run:
            with alone():
                deploying.deploy(client, plan, take_over)
            done.note("phase2", *(deploying.find(client, one).id for one in plan.deployments))
    if as_json:
        sys.stdout.write(json.dumps({"differences": found, "deployed": not dry_run}, indent=2))
        sys.stdout.write("\n")
    elif dry_run and found:
        show.ok("nothing was deployed; `blueprint redeploy` does it")
    return DIFFERS if dry_run and found else 0


def changes(client: SyncPrefectClient, plan: Manifest, take_over: bool = False) -> list[str]:
    """What a deploy would change on the server, each a sentence.

    Raises:
        Problem: a deployment of that name is another project's, unless that is to be taken over.
    """
    flows = {one["name"]: load_flow(one) for one in plan.deployments}
    found, ids = [], []
    for one in plan.deployments:
        name = deploying.full_name(flows, one)
        if not take_over:
            owning.refuse_foreign(client, name)
        try:
            held = client.read_deployment_by_name(name)
        except ObjectNotFound:
            found.append(f"{one['name']}: not on the server, and will be made")
            continue
        ids.append(held.id)
        found += differences(held, one, client, with_version=True)
    found += [
        f"{name}: on the server and no longer in the manifest; it will be removed"
        for name in deploying.orphans(client, plan, flows)
    ]
    if len(ids) == len(plan.deployments):
        waits = rules.patience(plan.deployments)
        found += automations.differences(client, plan.name, ids, waits)
    return found
