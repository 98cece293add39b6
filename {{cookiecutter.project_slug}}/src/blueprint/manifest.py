"""Reads and lints `prefect.yaml`.

Prefect ignores a key that it does not know and turns an unset `$VARIABLE` in double
braces into an empty string, so both are found here, before anything reaches a server.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml

from blueprint.project import Problem, mark
from runtime.project import ROOT

PATH = ROOT / "prefect.yaml"

# Prefect 3.8: prefect/cli/deploy/_models.py, which ignores every other key.
TOP_KEYS = {"prefect-version", "name", "build", "push", "pull", "deployments", "definitions"}
DEPLOYMENT_KEYS = {
    *("name", "version", "version_type", "tags", "description", "schedules", "paused"),
    *("concurrency_limit", "flow_name", "entrypoint", "parameters", "enforce_parameter_schema"),
    *("build", "push", "pull", "work_pool", "triggers"),
}
POOL_KEYS = {"name", "work_queue_name", "job_variables"}
SCHEDULE_KEYS = {
    *("cron", "interval", "rrule", "timezone", "anchor_date", "active", "parameters"),
    *("slug", "replaces", "day_or"),
}
VARIABLE = re.compile(r"\{\{\s*\$([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
# Prefect refuses the first five; with one of the others its own client asks for another address.
BANNED_IN_NAMES = "/%&><?#"


@dataclass(frozen=True)
class Manifest:
    """`prefect.yaml` as it stands, and with its variables filled in."""

    raw: Mapping[str, Any]
    filled: Mapping[str, Any]

    @property
    def deployments(self) -> list[dict[str, Any]]:
        """The deployments, variables filled in."""
        return list(self.filled["deployments"])

    @property
    def first(self) -> dict[str, Any]:
        """The deployment that the phases run: the first in the file."""
        return self.deployments[0]

    @property
    def pools(self) -> list[str]:
        """The work pools that the deployments name, each once."""
        return list(dict.fromkeys(one["work_pool"]["name"] for one in self.deployments))


def variables() -> dict[str, str]:
    """What `blueprint deploy` fills into the manifest: this project's interpreter, folder, mark."""
    return {
        "PROJECT_PYTHON": shlex.quote(sys.executable),
        "PROJECT_ROOT": str(ROOT),
        "PROJECT_ID": mark(),
    }


def load(path: Path = PATH) -> Manifest:
    """The manifest, linted.

    Raises:
        Problem: it is missing or has faults; the message names all of them.
    """
    try:
        raw = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        raise Problem(
            f"There is no {path}: bring it back with `git checkout {path.name}`."
        ) from None
    except yaml.YAMLError as error:
        raise Problem(f"{path.name} is not YAML: {error}") from None
    environment = {**os.environ, **variables()}
    if faults := lint(raw, environment):
        listed = "\n".join(f"  - {fault}" for fault in faults)
        raise Problem(f"{path.name} has faults; nothing was deployed:\n{listed}")
    return Manifest(raw=raw, filled=_fill(raw, environment))


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
        faults += _lint_cron(schedule["cron"], where)
    elif not {"interval", "rrule"} & schedule.keys():
        faults.append(f"{where}: it has no cron, interval or rrule")
    return faults


def _lint_cron(cron: Any, where: str) -> list[str]:
    from prefect.client.schemas.schedules import CronSchedule

    if not isinstance(cron, str) or len(cron.split()) != 5:
        return [f"{where}: cron {cron!r} must be five fields, such as '0 9 * * *'"]
    try:
        CronSchedule(cron=cron)
        next_times(cron, "UTC", datetime.now(UTC))
    except (ValueError, StopIteration):
        return [f"{where}: cron {cron!r} is not a cron expression that ever comes true"]
    return []


def warnings(plan: Manifest) -> list[str]:
    """What works, and yet may surprise: hours that daylight saving skips or repeats."""
    return [
        f"{one['name']}: {schedule['cron']!r} lies in hours that daylight saving time skips or repeats "
        f"in {schedule['timezone']}: on two days of the year it runs an hour off"
        for one in plan.deployments
        for schedule in one.get("schedules") or []
        if "cron" in schedule and _meets_daylight_saving(schedule["cron"], schedule.get("timezone"))
    ]


def _meets_daylight_saving(cron: str, timezone: str | None) -> bool:
    """Whether a fixed hour of 1 or 2 meets a zone whose offset changes over the year."""
    zone = ZoneInfo(timezone or "UTC")
    year = datetime.now(UTC).year
    offsets = {datetime(year, month, 15, tzinfo=zone).utcoffset() for month in range(1, 13)}
    return len(offsets) > 1 and bool({"1", "2", "01", "02"} & set(cron.split()[1].split(",")))


def next_times(cron: str, timezone: str, after: datetime, count: int = 1) -> list[datetime]:
    """The next `count` times of a cron schedule, in its timezone, after the moment `after`.

    Reckoned by cronsim, not by Prefect, so that the two can be held against each other.
    """
    from cronsim import CronSim, CronSimError

    try:
        times = CronSim(cron, after.astimezone(ZoneInfo(timezone)))
        return [next(times) for _ in range(count)]
    except CronSimError as error:
        raise ValueError(str(error)) from error


def _unknown(mapping: Mapping[str, Any], known: set[str], where: str) -> list[str]:
    return [
        f"{where}: {key!r} is not a key that Prefect knows here; it would be ignored"
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


def _fill(value: Any, environment: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return VARIABLE.sub(lambda match: environment[match[1]], value)
    if isinstance(value, dict):
        return {key: _fill(item, environment) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, environment) for item in value]
    return value
