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
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound, ParameterTypeError
from prefect.flows import Flow, load_flow_from_entrypoint

from blueprint import show
from blueprint.manifest import Manifest, variables
from blueprint.project import Problem, mark
from runtime.project import ROOT

if TYPE_CHECKING:
    from prefect.client.schemas.responses import DeploymentResponse

MARK = "BLUEPRINT_PROJECT"


def deploy(client: SyncPrefectClient, manifest: Manifest, take_over: bool = False) -> None:
    """Deploy all that the manifest says, and compare what the server then holds with it.

    Args:
        client: a client of the project's API.
        manifest: the linted manifest.
        take_over: overwrite a deployment of the same name that another project made.

    Raises:
        Problem: a parameter does not fit the flow, a deployment of that name belongs to
            another project, `prefect deploy` failed, or the server does not hold what the
            manifest says.
    """
    flows = {one["name"]: _load_flow(one) for one in manifest.deployments}
    for one in manifest.deployments:
        _check_parameters(flows[one["name"]], one)
        if not take_over:
            _refuse_foreign(client, _full_name(flows, one))
    for pool in manifest.pools:
        ensure_pool(client, pool)
    _run_prefect_deploy()
    faults: list[str] = []
    for one in manifest.deployments:
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
    name = f"{_load_flow(deployment).name}/{deployment['name']}"
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
    slugs = {one.slug: one for one in client.read_deployment_schedules(held.id)}
    schedules = {one["slug"]: one for one in wanted.get("schedules") or []}
    pairs.append(("schedules", sorted(map(str, slugs)), sorted(schedules)))
    for slug in slugs.keys() & schedules.keys():
        there, here = slugs[slug], schedules[slug]
        for key in ("cron", "timezone", "rrule"):
            if key in here:
                pairs.append(
                    (f"schedule {slug}: {key}", getattr(there.schedule, key, None), here[key])
                )
        if isinstance(here.get("active"), bool):
            pairs.append((f"schedule {slug}: active", there.active, here["active"]))
        if "parameters" in here:
            pairs.append((f"schedule {slug}: parameters", there.parameters, here["parameters"]))
    return [
        f"{wanted['name']}: {key} is {there!r} on the server and {here!r} in the manifest"
        for key, there, here in pairs
        if there != here
    ]


def _concurrency(held: DeploymentResponse, wanted: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    limit = wanted.get("concurrency_limit")
    there = held.global_concurrency_limit.limit if held.global_concurrency_limit else None
    if not isinstance(limit, dict):
        return [("concurrency_limit", there, limit)]
    options = held.concurrency_options
    strategy = options.collision_strategy.value if options else None
    return [
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


def _load_flow(deployment: Mapping[str, Any]) -> Flow[..., Any]:
    entrypoint = deployment["entrypoint"]
    try:
        return load_flow_from_entrypoint(entrypoint)
    except Exception as error:  # the user's code may raise anything when it is imported
        raise Problem(f"{entrypoint} cannot be loaded: {type(error).__name__}: {error}") from error


def _check_parameters(flow: Flow[..., Any], deployment: Mapping[str, Any]) -> None:
    try:
        flow.validate_parameters(dict(deployment.get("parameters") or {}))
    except (ParameterTypeError, TypeError) as error:
        raise Problem(
            f"The parameters of {deployment['name']!r} in prefect.yaml do not fit the flow:\n{error}"
        ) from None


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
        "Rename this project's flow (src/data_pipeline/flow.py) or its deployment (prefect.yaml). "
        "To replace the other one on purpose: blueprint deploy --take-over"
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
