"""The state of everything, as one value: what is printed and what is written as JSON.

Facts only; what is wrong with them, `judging` says.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from blueprint.done import Passed


@dataclass(frozen=True)
class Run:
    """A flow run. The counts are None where it left no summary; `seconds` is what it took."""

    id: str
    name: str
    state: str
    kind: str
    began: datetime | None
    due: datetime | None
    seconds: float
    message: str
    read: int | None = None
    refused: int | None = None
    loaded: int | None = None


@dataclass(frozen=True)
class Schedule:
    """A schedule as the server holds it; `when` is its cron, interval or rrule as text."""

    id: str
    slug: str
    when: str
    timezone: str
    active: bool


@dataclass(frozen=True)
class Deployment:
    """One of the manifest's deployments on the server.

    missing: why it is not there or not ours, as a sentence; empty if it is.
    differences: where it is not what prefect.yaml says; each a sentence.
    waiting: runs that are due and that no worker has begun, the oldest first.
    upcoming: how many runs the schedules have lined up. recent: newest first.
    """

    name: str
    pool: str
    full_name: str = ""
    id: str | None = None
    missing: str = ""
    paused: bool = False
    changed: datetime | None = None
    differences: list[str] = field(default_factory=list)
    schedules: list[Schedule] = field(default_factory=list)
    next_run: datetime | None = None
    upcoming: int = 0
    waiting: list[Run] = field(default_factory=list)
    recent: list[Run] = field(default_factory=list)


@dataclass(frozen=True)
class Queue:
    """A work queue: how many runs it lets run at once, or None for any number."""

    name: str
    paused: bool
    limit: int | None


@dataclass(frozen=True)
class Pool:
    """A work pool; `workers` are those that gave a sign of life lately."""

    name: str
    found: bool
    kind: str = ""
    paused: bool = False
    limit: int | None = None
    running: int | None = None
    workers: list[str] = field(default_factory=list)
    queues: list[Queue] = field(default_factory=list)


@dataclass(frozen=True)
class Server:
    """The API at its address.

    state: answers, refused (nothing listens there), unreachable, starting, no-prefect
        (something else listens there), denied (it wants another key), failing (it answers with
        an error), or unknown (it was not asked). reason: why, where it does not answer.
    started_here: the process that this project started, if it runs.
    """

    url: str
    ui: str
    local: bool
    state: str
    reason: str = ""
    version: str = ""
    started_here: int | None = None


@dataclass(frozen=True)
class Quarantine:
    """The refused records on this machine. `whole` is False where not all were counted."""

    folder: str
    files: int
    records: int
    size: int
    whole: bool = True


@dataclass(frozen=True)
class Target:
    """What is loaded, and its size in bytes; None where there is nothing, or not on this machine."""

    name: str
    size: int | None


@dataclass(frozen=True)
class Disk:
    """Sizes and free space in bytes; `targets` are those of the deployments, each once."""

    targets: list[Target]
    logs: int
    database: int
    free: int
    total: int


@dataclass(frozen=True)
class Environment:
    """The interpreter and the locked packages; `faults` are where they are not as locked."""

    python: str
    prefect: str
    faults: list[str]


@dataclass(frozen=True)
class Facts:
    """All of it.

    problems: faults of prefect.toml, .env and prefect.yaml, without which the rest cannot be
        told. passed: the phases that have passed in this folder.
    """

    project: str
    folder: str
    at: datetime
    environment: Environment
    problems: list[str]
    server: Server
    pools: list[Pool]
    worker_here: int | None
    deployments: list[Deployment]
    quarantine: list[Quarantine]
    disk: Disk
    passed: dict[str, Passed]
