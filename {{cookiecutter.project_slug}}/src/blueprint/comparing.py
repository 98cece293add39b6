"""Where what the server holds is not what the manifest says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.utilities.callables import parameter_schema

from blueprint.flows import load_flow
from blueprint.schedules import schedule_of

if TYPE_CHECKING:
    from prefect.client.schemas.responses import DeploymentResponse


def differences(
    held: DeploymentResponse,
    wanted: Mapping[str, Any],
    client: SyncPrefectClient,
    *,
    with_version: bool = False,
) -> list[str]:
    """Where the server's deployment is not what the manifest says; each a sentence.

    with_version: also its version, which changes with each commit, while a run uses the code
    of this folder in any case.
    """
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
        "paused": held.paused,
        "enforce_parameter_schema": held.enforce_parameter_schema,
        "work_queue_name": held.work_queue_name,
    }
    if with_version:
        optional["version"] = held.version
    given = {**wanted, **{key: pool[key] for key in pool if key == "work_queue_name"}}
    pairs += [(key, optional[key], given[key]) for key in optional if given.get(key) is not None]
    pairs += _concurrency(held, wanted)
    pairs += _schedules(client, held, wanted)
    return [
        f"{wanted['name']}: {key} is {there!r} on the server and {here!r} in the manifest"
        for key, there, here in pairs
        if there != here and not _filled_in_by_prefect(here)
    ] + _signature(held, wanted)


def _signature(held: DeploymentResponse, wanted: Mapping[str, Any]) -> list[str]:
    """By it the server judges parameters, and makes the form of the UI."""
    if held.parameter_openapi_schema == parameter_schema(load_flow(wanted)).model_dump():
        return []
    return [
        f"{wanted['name']}: the flow's parameters on the server are not those that "
        f"{wanted['entrypoint']} has now"
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
