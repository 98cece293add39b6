"""Where what the server holds is not what the manifest says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.utilities.callables import parameter_schema

from blueprint.flows import load_flow
from blueprint.schedules import schedule_of
from blueprint.withholding import is_filled

if TYPE_CHECKING:
    from prefect.client.schemas.responses import DeploymentResponse

_FREE = ("parameters", "job_variables", "pull", "description")
"""What may hold any text, also a password: of these, only numbers are shown."""
_ABSENT = object()


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
        *_by_key("parameters", held.parameters or {}, wanted.get("parameters") or {}),
        ("work_pool.name", held.work_pool_name, pool["name"]),
        *_by_key("job_variables", held.job_variables or {}, pool.get("job_variables") or {}),
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
        f"{wanted['name']}: {_told(key, there, here)}"
        for key, there, here in pairs
        if there != here and not _filled_in_by_prefect(here)
    ] + _signature(held, wanted)


def _by_key(name: str, there: Any, here: Any) -> list[tuple[str, Any, Any]]:
    """A mapping's values one by one, so that a reference to a block hides no other one."""
    if not (isinstance(there, dict) and isinstance(here, dict)):
        return [(name, there, here)]
    pairs: list[tuple[str, Any, Any]] = []
    for key in [*here, *(one for one in there if one not in here)]:
        pairs += _by_key(f"{name}.{key}", there.get(key, _ABSENT), here.get(key, _ABSENT))
    return pairs


def _told(key: str, there: Any, here: Any) -> str:
    """A difference in words, which repeat nothing that may be a secret."""
    if there is _ABSENT or here is _ABSENT:
        return f"{key} is only {'in the manifest' if there is _ABSENT else 'on the server'}"
    free = key.partition(".")[0] in _FREE or key.endswith(": parameters")
    numbers = all(isinstance(one, bool | int | float) for one in (there, here))
    if is_filled(here) or (free and not numbers):
        return f"{key} is another on the server than in the manifest"
    return f"{key} is {there!r} on the server and {here!r} in the manifest"


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
