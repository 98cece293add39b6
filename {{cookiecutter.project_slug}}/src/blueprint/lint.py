"""The lint of the manifest: every fault, each a sentence, before anything reaches a server.

Prefect ignores a key that it does not know and turns an unset `$VARIABLE` in double braces into
an empty string.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from blueprint.schedules import next_times, schedule_of

# Prefect 3.8: prefect/cli/deploy/_models.py, which ignores every other key. Of those that it
# knows, these are left out, since what becomes of them is not checked after a deploy: sla,
# triggers (make an automation instead), schedule (write schedules), replaces (slug does it).
TOP_KEYS = {"prefect-version", "name", "build", "push", "pull", "deployments", "definitions"}
DEPLOYMENT_KEYS = {
    *("name", "version", "version_type", "tags", "description", "schedules", "paused"),
    *("concurrency_limit", "entrypoint", "parameters", "enforce_parameter_schema"),
    *("build", "push", "pull", "work_pool"),
}
POOL_KEYS = {"name", "work_queue_name", "job_variables"}
LIMIT_KEYS = {"limit", "collision_strategy", "grace_period_seconds"}
SCHEDULE_KEYS = {
    *("cron", "interval", "rrule", "timezone", "anchor_date", "active", "parameters"),
    *("slug", "day_or"),
}
# Prefect refuses the first five; with one of the others its own client asks for another address.
BANNED_IN_NAMES = "/%&><?#"


VARIABLE = re.compile(r"\{\{\s*\$([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")


def lint(raw: Any, environment: Mapping[str, str]) -> list[str]:
    """The manifest's faults, each a sentence; none means that it can be deployed."""
    if not isinstance(raw, dict) or not isinstance(raw.get("deployments"), list):
        return ["it holds no list of deployments"]
    if not raw["deployments"]:
        return ["its list of deployments is empty"]
    faults = _unknown(raw, TOP_KEYS, "the manifest")
    for name in sorted({name for text in _texts(raw) for name in VARIABLE.findall(text)}):
        if not environment.get(name):
            faults.append(f"${name} is used and not set: set {name} in the environment")
    names = [one.get("name") for one in raw["deployments"] if isinstance(one, dict)]
    faults += [
        f"two deployments are called {n!r}" for n in {n for n in names if names.count(n) > 1}
    ]
    for number, one in enumerate(raw["deployments"], start=1):
        faults += _lint_deployment(one, f"deployment {number}")
    return faults


def _lint_deployment(one: Any, where: str) -> list[str]:
    if not isinstance(one, dict):
        return [f"{where} is not a mapping"]
    where = f"deployment {one['name']!r}" if one.get("name") else where
    faults = _unknown(one, DEPLOYMENT_KEYS, where)
    faults += _lint_name(one.get("name"), f"{where}: name")
    if not re.fullmatch(r"[\w.]+:\w+", str(one.get("entrypoint", ""))):
        faults.append(f"{where}: entrypoint must be module:function, not {one.get('entrypoint')!r}")
    if not isinstance(one.get("parameters", {}), dict):
        faults.append(f"{where}: parameters must be a mapping of names to values")
    pool = one.get("work_pool")
    if isinstance(pool, dict):
        faults += _unknown(pool, POOL_KEYS, f"{where}: work_pool")
        faults += _lint_name(pool.get("name"), f"{where}: work_pool.name")
        faults += _lint_mark(pool.get("job_variables"), where)
    else:
        faults.append(f"{where}: work_pool must be a mapping with the pool's name")
    faults += _lint_limit(one.get("concurrency_limit"), f"{where}: concurrency_limit")
    schedules = one.get("schedules", [])
    if not isinstance(schedules, list):
        return [*faults, f"{where}: schedules must be a list"]
    for schedule in schedules:
        faults += _lint_schedule(schedule, f"{where}: schedule")
    return faults


def _lint_mark(job_variables: Any, where: str) -> list[str]:
    """Without these three, a run would use whatever code the worker that takes it has."""
    given = job_variables if isinstance(job_variables, dict) else {}
    env = given.get("env")
    wanted = {
        "command": (given.get("command"), "PROJECT_PYTHON"),
        "working_dir": (given.get("working_dir"), "PROJECT_ROOT"),
        "env.BLUEPRINT_PROJECT": (
            env.get("BLUEPRINT_PROJECT") if isinstance(env, dict) else None,
            "PROJECT_ID",
        ),
    }
    return [
        f"{where}: job_variables.{key} must hold ${name} in double braces, so that a run uses this project"
        for key, (value, name) in wanted.items()
        if name not in VARIABLE.findall(str(value))
    ]


def _lint_limit(limit: Any, where: str) -> list[str]:
    """Prefect ignores a misspelled key in it too."""
    faults = _unknown(limit, LIMIT_KEYS, where) if isinstance(limit, dict) else []
    many = limit.get("limit") if isinstance(limit, dict) else limit
    if many is not None and (type(many) is not int or many < 1):
        faults.append(f"{where} must be 1 or more, not {many!r}")
    if isinstance(limit, dict):
        if many is None:
            faults.append(f"{where}: limit is missing")
        strategy = limit.get("collision_strategy")
        if strategy not in ("ENQUEUE", "CANCEL_NEW"):
            faults.append(
                f"{where}: collision_strategy must be ENQUEUE or CANCEL_NEW, not {strategy!r}"
            )
    return faults


def _lint_name(name: Any, where: str) -> list[str]:
    if not isinstance(name, str) or not name.strip():
        return [f"{where} is missing"]
    if bad := [mark for mark in BANNED_IN_NAMES if mark in name]:
        return [f"{where} is {name!r}, and Prefect allows no {' '.join(bad)} in a name"]
    if name in (".", ".."):
        return [f"{where} is {name!r}, which Prefect cannot tell from a step in an address"]
    return []


def _lint_schedule(schedule: Any, where: str) -> list[str]:
    if not isinstance(schedule, dict):
        return [f"{where} is not a mapping"]
    faults = _unknown(schedule, SCHEDULE_KEYS, where)
    if not schedule.get("slug"):
        faults.append(f"{where}: give it a slug, so that a changed schedule replaces the old one")
    zone = schedule.get("timezone", "UTC")
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        faults.append(f"{where}: timezone {zone!r} is not an IANA name such as Europe/Berlin")
    if "cron" in schedule:
        return faults + _lint_cron(schedule["cron"], where)
    try:
        schedule_of(schedule)
    except (ValueError, KeyError) as error:
        faults.append(f"{where}: it needs a cron, an interval in seconds or an rrule ({error})")
    return faults


def _lint_cron(cron: Any, where: str) -> list[str]:
    if not isinstance(cron, str) or len(cron.split()) != 5:
        return [f"{where}: cron {cron!r} must be five fields, such as '0 9 * * *'"]
    try:
        schedule_of({"cron": cron})
        next_times(cron, "UTC", datetime.now(UTC))
    except (ValueError, StopIteration):
        return [f"{where}: cron {cron!r} is not a cron expression that ever comes true"]
    return []


def _unknown(mapping: Mapping[str, Any], known: set[str], where: str) -> list[str]:
    return [
        f"{where}: {key!r} is not a key that is used here; mistyped?"
        for key in mapping
        if key not in known
    ]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
