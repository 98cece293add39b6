"""Facts of this folder and this machine; Prefect is not asked, and not imported."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from blueprint import environment
from blueprint.checking.facts import Disk, Environment, Quarantine, Target
from blueprint.pipelines.which import given_or_default, package_of
from blueprint.project import STATE, Problem, Project
from runtime.project import ROOT, resolve, resolve_target

_MOST_BYTES = 256_000_000
"""So much of the quarantine is counted: some tenths of a second."""


def environment_now() -> Environment:
    """The interpreter and the packages, held against the locks."""
    python = ".".join(map(str, sys.version_info[:3]))
    try:
        prefect = version("prefect")
    except PackageNotFoundError:
        prefect = ""
    try:
        faults = environment.faults()
    except Problem as problem:
        faults = [str(problem)]
    return Environment(python, prefect, faults)


def knock(project: Project) -> tuple[str, str]:
    """Whether anything listens at a server's address on this machine: a state, and the reason."""
    try:
        with socket.create_connection(project.address, timeout=3):
            return "listens", ""
    except ConnectionRefusedError:
        return "refused", "Connection refused"
    except OSError as error:
        return "unreachable", error.strerror or str(error)


def is_prefect(project: Project) -> bool:
    """Whether what listens at the API's address says of itself that it is a healthy Prefect."""
    import httpx

    try:
        return httpx.get(f"{project.api_url}/health", timeout=3).json() is True
    except (httpx.HTTPError, ValueError):
        return False


def quarantine_now(deployments: Sequence[Mapping[str, Any]]) -> list[Quarantine]:
    """The refused records in each quarantine folder; none of a pipeline whose config.py is broken.

    Without deployments: those of the first pipeline's default folder.
    """
    given = (given_or_default(one, "quarantine") for one in deployments or [{}])
    return [_refused(Path(resolve(str(one)))) for one in dict.fromkeys(given) if one is not None]


def _refused(folder: Path) -> Quarantine:
    files = [path for path in folder.glob("*.ndjson") if path.is_file()]
    sizes = {path: path.stat().st_size for path in files}
    records, left = 0, _MOST_BYTES
    for path, size in sorted(sizes.items()):
        if (left := left - size) < 0:
            break
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                records += block.count(b"\n")
    return Quarantine(shown(folder), len(files), records, sum(sizes.values()), left >= 0)


def disk_now(project: Project | None, deployments: Sequence[Mapping[str, Any]]) -> Disk:
    """What this project's files take, and what is free."""
    targets = list(dict.fromkeys(_target(one) for one in deployments or [{}]))
    usage = shutil.disk_usage(ROOT)
    home = project.home if project else ROOT / ".prefect"
    return Disk(targets, _size(STATE / "logs") or 0, _size(home) or 0, usage.free, usage.total)


def _target(deployment: Mapping[str, Any]) -> Target:
    from ingest.errors import PipelineError
    from ingest.sinks import open_sink

    given = given_or_default(deployment, "target")
    if given is None:
        package = package_of(deployment)
        return Target(f"unknown: src/{package}/config.py cannot be imported", None)
    target = resolve_target(str(given))
    try:
        name = open_sink(target).shown
    except (PipelineError, ImportError) as error:
        return Target(str(error).splitlines()[0], None)
    kind, separator, rest = target.partition("://")
    if separator and kind not in ("duckdb", "parquet"):
        return Target(name, None)
    return Target(shown(Path(name)), _size(Path(rest[1:] if separator else target)))


def shown(path: Path) -> str:
    """A path as a person types it in the project's folder."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def _size(path: Path) -> int | None:
    """The bytes of a file or of all in a folder; a file that vanishes meanwhile counts nothing."""
    if path.is_file():
        beside = path.with_name(path.name + ".wal")
        return path.stat().st_size + (beside.stat().st_size if beside.is_file() else 0)
    return sum(_sizes(path)) if path.is_dir() else None


def _sizes(folder: Path) -> Iterator[int]:
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                yield (Path(parent) / name).lstat().st_size
            except OSError:
                continue
