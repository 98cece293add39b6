"""Deploys the manifest and makes sure that the server holds what it says.

Prefect's own `prefect deploy` does the deploying. What it does in silence (a schedule that was
taken out of the manifest stays active, a namesake is overwritten) is looked after here.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.flows import Flow

from blueprint import show
from blueprint.flows import check_parameters, load_flow
from blueprint.manifest import Manifest, variables
from blueprint.project import Problem, mark
from blueprint.schedules import schedule_of
from runtime.project import ROOT

if TYPE_CHECKING:
    from prefect.client.schemas.responses import DeploymentResponse

MARK = "BLUEPRINT_PROJECT"


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
    flows = {one["name"]: load_flow(one) for one in plan.deployments}
    for one in plan.deployments:
        check_parameters(flows[one["name"]], one["name"], one.get("parameters") or {})
        if not take_over:
            _refuse_foreign(client, _full_name(flows, one))
    for pool in plan.pools:
        ensure_pool(client, pool)
    _run_prefect_deploy()
    faults: list[str] = []
    for one in plan.deployments:
        held = client.read_deployment_by_name(_full_name(flows, one))
        held = _drop_old_schedules(client, held, one)
        faults += differences(held, one, client)
        show.ok(f"deployed {_full_name(flows, one)}")
    if faults:
        listed = "\n".join(f"  - {fault}" for fault in faults)
        raise Problem(f"The server does not hold what prefect.yaml says:\n{listed}")
    show.ok("what the server holds equals prefect.yaml")


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
        raise Problem(_foreign(name, held))
    return held


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
        try:
            client.create_work_pool(
                WorkPoolCreate(name=name, type="process", base_job_template=template)
            )
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


def differences(
    held: DeploymentResponse, wanted: Mapping[str, Any], client: SyncPrefectClient
) -> list[str]:
    """Where the server's deployment is not what the manifest says; each a sentence."""
    pool = wanted["work_pool"]
    pairs: list[tuple[str, Any, Any]] = [
        ("entrypoint", held.entrypoint, wanted["entrypoint"]),
        ("parameters", held.parameters, wanted.get("parameters", {})),
        ("work_pool.name", held.work_pool_name, pool["name"]),
        ("job_variables", held.job_variables, pool.get("job_variables", {})),
        ("tags", sorted(held.tags), sorted(wanted.get("tags") or [])),
        ("pull", held.pull_steps or [], wanted.get("pull") or []),
    ]
    optional = {
        "description": held.description,
        "version": held.version,
        "paused": held.paused,
        "enforce_parameter_schema": held.enforce_parameter_schema,
        "work_queue_name": held.work_queue_name,
    }
    given = {**wanted, **{key: pool[key] for key in pool if key == "work_queue_name"}}
    pairs += [(key, optional[key], given[key]) for key in optional if given.get(key) is not None]
    pairs += _concurrency(held, wanted)
    pairs += _schedules(client, held, wanted)
    return [
        f"{wanted['name']}: {key} is {there!r} on the server and {here!r} in the manifest"
        for key, there, here in pairs
        if there != here and not _filled_in_by_prefect(here)
    ]


def _schedules(
    client: SyncPrefectClient, held: DeploymentResponse, wanted: Mapping[str, Any]
) -> list[tuple[str, Any, Any]]:
    there = {one.slug: one for one in client.read_deployment_schedules(held.id)}
    here = {one["slug"]: one for one in wanted.get("schedules") or []}
    pairs: list[tuple[str, Any, Any]] = [("schedules", sorted(map(str, there)), sorted(here))]
    for slug in there.keys() & here.keys():
        asked = schedule_of(here[slug])
        for key in asked.model_fields_set:
            name = f"schedule {slug}: {key}"
            pairs.append((name, getattr(there[slug].schedule, key, None), getattr(asked, key)))
        for key in ("active", "parameters"):
            if key in here[slug]:
                pairs.append(
                    (f"schedule {slug}: {key}", getattr(there[slug], key), here[slug][key])
                )
    return pairs


def _filled_in_by_prefect(value: Any) -> bool:
    """Whether Prefect puts a block or a variable of the server in its place when it deploys."""
    return "prefect.blocks." in str(value) or "prefect.variables." in str(value)


def _concurrency(held: DeploymentResponse, wanted: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    limit = wanted.get("concurrency_limit")
    there = held.global_concurrency_limit.limit if held.global_concurrency_limit else None
    if not isinstance(limit, dict):
        return [("concurrency_limit", there, limit)]
    options = held.concurrency_options
    strategy = options.collision_strategy.value if options else None
    grace = options.grace_period_seconds if options else None
    asked = limit.get("grace_period_seconds")
    return [
        *([("concurrency_limit.grace_period_seconds", grace, asked)] if asked is not None else []),
        ("concurrency_limit.limit", there, limit.get("limit")),
        ("concurrency_limit.collision_strategy", strategy, limit.get("collision_strategy")),
    ]


def _drop_old_schedules(
    client: SyncPrefectClient, held: DeploymentResponse, wanted: Mapping[str, Any]
) -> DeploymentResponse:
    """`prefect deploy` leaves a schedule active that the manifest no longer has: it would fire."""
    slugs = {one["slug"] for one in wanted.get("schedules") or []}
    for schedule in client.read_deployment_schedules(held.id):
        if schedule.slug not in slugs:
            client.delete_deployment_schedule(held.id, schedule.id)
            show.ok(
                f"removed the schedule {schedule.slug or schedule.id}, which prefect.yaml no longer has"
            )
    return client.read_deployment(held.id)


def _full_name(flows: Mapping[str, Flow[..., Any]], deployment: Mapping[str, Any]) -> str:
    return f"{flows[deployment['name']].name}/{deployment['name']}"


def _refuse_foreign(client: SyncPrefectClient, name: str) -> None:
    try:
        held = client.read_deployment_by_name(name)
    except ObjectNotFound:
        return
    if owner(held) != mark():
        raise Problem(_foreign(name, held))


def owner(held: DeploymentResponse) -> str | None:
    """The mark of the project that made a deployment; none where it was no blueprint project."""
    env = (held.job_variables or {}).get("env")
    return env.get(MARK) if isinstance(env, dict) else None


def _foreign(name: str, held: DeploymentResponse) -> str:
    folder = (held.job_variables or {}).get("working_dir")
    whose = f"the project in {folder}" if owner(held) else "something that is no blueprint project"
    return (
        f"The server's deployment {name!r} belongs to {whose}, not to {ROOT}.\n"
        "Rename this project's flow (src/data_pipeline/flow.py) or its deployment (prefect.yaml).\n"
        "To replace the other one on purpose, also where it is this project in another clone: "
        "blueprint deploy --take-over"
    )


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
