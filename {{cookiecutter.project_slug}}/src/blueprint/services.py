"""`blueprint up` and `blueprint down`: the server and the worker of this project."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.settings import PREFECT_API_URL, temporary_settings

from blueprint import database, draining, readiness, show
from blueprint.machine import host, machine
from blueprint.processes import SERVER, WORKER, Supervised, port_owner
from blueprint.project import Problem, Project, mark
from blueprint.serving import server_command, server_environment
from runtime.project import ROOT

if TYPE_CHECKING:
    from prefect.client.schemas.objects import Worker

SERVER_PATIENCE = 180
"""Seconds a server may take; on a new database it makes some hundred migrations first."""
WORKER_PATIENCE = 60
SIGN_OF_LIFE = 35
"""Seconds in which a living worker gives a sign: Prefect's worker.heartbeat_seconds is 30."""
FRESH = timedelta(seconds=45)
"""A worker that gave a sign within this time is taken as running; it gives one every 30 s."""


class Unreachable(Problem):
    """Nothing answers at the API's address."""


@contextmanager
def connected(project: Project) -> Iterator[SyncPrefectClient]:
    """A client of the project's API.

    Raises:
        Unreachable: nothing answers there.
        Problem: it refuses the key.
    """
    start = (
        "Start one: scripts/start_server.sh in a terminal of its own, or `blueprint up`."
        if project.is_local
        else "Is the address in prefect.toml right, and can this machine reach it?"
    )
    with (
        temporary_settings({PREFECT_API_URL: project.api_url}),
        get_client(sync_client=True) as client,
    ):
        if error := client.api_healthcheck():
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise Unreachable(
                f"No Prefect server answers at {project.api_url} ({reason}).\n{start}"
            )
        try:
            client.read_work_pools(limit=1)
        except PrefectHTTPStatusError as error:
            if error.response.status_code not in (401, 403):
                raise  # the command's own message tells of it
            raise Problem(
                f"{project.api_url} refuses this user ({error.response.status_code}). Give it a key: "
                "PREFECT_API_KEY (Prefect Cloud) or PREFECT_API_AUTH_STRING, in the environment or in .env."
            ) from None
        yield client


def is_healthy(project: Project) -> bool:
    """Whether a Prefect API answers at the project's address."""
    try:
        answer = httpx.get(f"{project.api_url}/health", timeout=3)
        return answer.status_code == 200 and answer.json() is True
    except (httpx.HTTPError, ValueError):
        return False


def ensure_server(project: Project) -> None:
    """Start the server where none is running, and wait until it answers.

    Raises:
        Problem: the port is taken by something else, or the server did not come up.
    """
    if not project.is_local:
        with connected(project):
            show.ok(f"the API at {project.api_url} answers; no server is started here")
        return
    _refuse_another(SERVER, project.api_url)
    if is_healthy(project):
        mine = f" (started by {SERVER.by})" if SERVER.process() else ""
        show.ok(f"a server already runs at {project.api_url}{mine}")
        return
    started = SERVER.process() is None
    if started:
        refuse_taken_port(project)
        show.doing(f"starting the server at {project.api_url} (log: {readiness.log_of(SERVER)})")
        command = server_command(project)
        database.prepare()
        SERVER.start(command, server_environment(), serves=project.api_url)
    readiness.wait(SERVER, lambda: is_healthy(project), SERVER_PATIENCE, started)
    show.ok(f"the server answers at {project.api_url}")


def refuse_taken_port(project: Project) -> None:
    """Raises Problem, which names who has it, where something else listens at the API's port."""
    host, port = project.address
    if readiness.listening(host, port):
        raise Problem(
            f"Port {port} is taken by {port_owner(port)}, which is no Prefect server.\n"
            "End it, or give this project another port in prefect.toml ([api] url and [server.api] port)."
        )


def await_server(project: Project) -> None:
    """Wait for the API as long as a new server may take to answer: after a start of the machine
    the worker is there first."""
    end = time.monotonic() + SERVER_PATIENCE
    while project.is_local and not is_healthy(project) and time.monotonic() < end:
        time.sleep(1)


def ensure_worker(client: SyncPrefectClient, pool: str) -> None:
    """Start a worker for the pool where none is running, and wait until it is online.

    Raises:
        Problem: the worker did not come up.
    """
    drains = draining.worker_drains()
    if drains:
        show.warn("the worker before takes no new run, and ends with those that it has in hand")
    else:
        _refuse_another(WORKER, pool)
    started = drains or WORKER.process() is None
    if started:
        # On a server elsewhere it may be another machine's, which has no folder of this project.
        here = Project(str(client.api_url), ROOT).is_local
        if here and (other := _living_worker(client, pool)):
            show.ok(f"a worker already serves the pool {pool!r}: {other}")
            return
        forget(client, pool)
        show.doing(f"starting a worker for the pool {pool!r} (log: {readiness.log_of(WORKER)})")
        command = [sys.executable, "-m", "blueprint", "worker", "--pool", pool]
        WORKER.start(command, os.environ, serves=pool)
    readiness.wait(
        WORKER, lambda: bool(_named(client, pool, worker_name())), WORKER_PATIENCE, started
    )
    show.ok(f"the worker {worker_name()} serves the pool {pool!r}")


def _refuse_another(what: Supervised, wanted: str) -> None:
    """What runs for another address or pool is stopped by a person, who knows who uses it."""
    if what.process() is not None and what.serves != wanted:
        raise Problem(
            f"This project's {what.role} still runs for {what.serves}, and the project now says "
            f"{wanted}.\n{readiness.how_to_stop(what)}"
        )


def _living_worker(client: SyncPrefectClient, pool: str) -> str | None:
    """Another worker of the pool that gives a sign of life now.

    The server lists a worker as online for a while after it has gone, so one is waited for.
    """
    before = {one.name: one.last_heartbeat_time for one in online_workers(client, pool)}
    before.pop(worker_name(), None)
    if not before:
        return None
    show.doing(f"{', '.join(before)} is on the server's list; waiting for a sign of life (35 s)")
    end = time.monotonic() + SIGN_OF_LIFE
    while time.monotonic() < end:
        for one in online_workers(client, pool, but=worker_name()):
            if one.last_heartbeat_time != before.get(one.name):
                return one.name
        time.sleep(0.5)
    return None


def worker_name() -> str:
    """This project's worker; of a copy that cannot know that it is one, as in a container, too."""
    name = f"{ROOT.name}-{mark()[:8]}"
    return name if machine() else f"{name}-{host()}"


def online_workers(client: SyncPrefectClient, pool: str, but: str | None = None) -> list[Worker]:
    """The workers of a pool that gave a sign of life lately; none where there is no such pool."""
    try:
        workers = client.read_workers_for_work_pool(pool)
    except ObjectNotFound:
        return []
    except PrefectHTTPStatusError as error:
        if error.response.status_code != 405:  # what a pool called '.' leads to
            raise
        return []
    since = datetime.now(UTC) - FRESH
    return [
        one
        for one in workers
        if one.name != but and one.last_heartbeat_time and one.last_heartbeat_time > since
    ]


def _named(client: SyncPrefectClient, pool: str, name: str) -> list[Worker]:
    return [one for one in online_workers(client, pool) if one.name == name]


def forget(client: SyncPrefectClient, pool: str) -> None:
    """A stopped worker stays on the server's list as online for some minutes: take it off."""
    with suppress(ObjectNotFound, httpx.HTTPStatusError):
        client.request(
            "DELETE",
            "/work_pools/{work_pool_name}/workers/{name}",
            path_params={"work_pool_name": pool, "name": worker_name()},
        )
