"""The server and the worker.

Prefect is imported inside a command, never above it: it reads its settings once, at import,
and it takes seconds.
"""

from __future__ import annotations

import os
from typing import Annotated, Literal

from cyclopts import Parameter

from blueprint import show
from blueprint.project import Problem, enter

Role = Literal["server", "worker"]
_Log = Annotated[bool, Parameter(name="--log", negative=())]


def server(*, log: _Log = False) -> None:
    """The project's server in this terminal, until Ctrl-C.

    Parameters
    ----------
    log
        Write into the log that `blueprint logs` shows, in place of the terminal.
    """
    project = enter()
    from blueprint import database, services
    from blueprint.processes import SERVER, alone

    command = services.server_command(project)
    with alone():
        if services.is_healthy(project):
            show.ok(f"a server already runs at {project.api_url}")
            return
        if there := SERVER.process():
            raise Problem(f"This project's server is being started already (process {there.pid}).")
        services.refuse_taken_port(project)
        database.prepare()
        environment = services.server_environment()
        _record(SERVER, project.api_url, log)
    os.execve(command[0], command, environment)


def worker(*, pool: str | None = None, log: _Log = False) -> None:
    """The project's worker in this terminal.

    Ctrl-C, or SIGTERM, lets it take no new run; it ends when the runs in hand have ended, and
    after drain_seconds (pyproject.toml) ends those itself. In a terminal Ctrl-C reaches the
    runs too, and ends them.

    Parameters
    ----------
    pool
        The work pool that it serves; else the one of the first deployment in prefect.yaml.
    log
        Write into the log that `blueprint logs` shows, in place of the terminal.
    """
    project = enter()
    from blueprint import deploying, draining, ended, manifest, readiness, services, working
    from blueprint.processes import STARTED_BY, UP, WORKER, alone

    pool = pool or manifest.load().pools[0]
    if os.environ.get(STARTED_BY) != UP:
        with alone():
            there = WORKER.process()
            if there and there.pid != os.getpid() and not draining.worker_drains():
                raise Problem(
                    f"This project's worker already runs (process {there.pid}). "
                    f"{readiness.how_to_stop(WORKER)}"
                )
            _record(WORKER, pool, log)
    services.await_server(project)
    with services.connected(project) as client:
        deploying.ensure_pool(client, pool)
        services.forget(client, pool)
        ended.report(client, services.worker_name())  # of a worker that was killed
    working.work(pool, services.worker_name())


def up() -> None:
    """Start the server and a worker in the background, where none is running.

    A server that answers already is used as it is, and so is a worker that serves the pool, where
    the server is on this machine. Then what is older than the limits is deleted, as `blueprint prune` does it; the worker repeats
    that once a day. Safe to repeat, also after Ctrl-C.
    """
    project = enter()
    from blueprint import deploying, manifest, pruning, services
    from blueprint.processes import alone

    show.heading("Up")
    plan = manifest.load()
    with alone():
        services.ensure_server(project)
        with services.connected(project) as client:
            for pool in plan.pools:
                deploying.ensure_pool(client, pool)
            services.ensure_worker(client, plan.pools[0])
    pruning.tell(pruning.prune(project, say=show.Progress()), quiet=True)
    show.ok(f"UI: {project.ui_url}")


def down(*, limit: int | None = None) -> None:
    """Stop the worker and the server that `blueprint up` started.

    The worker takes no new run at once. Its runs may end; after the limit they are ended, and
    are Crashed on the server. Runs of other projects in its hands are never ended, and a server
    that others use stays up. Ctrl-C leaves the worker to end by itself.

    Parameters
    ----------
    limit
        Seconds that the runs in hand are given; else drain_seconds (pyproject.toml).
    """
    project = enter()
    from blueprint import stopping
    from blueprint.processes import alone

    if limit is not None and limit < 0:
        raise Problem(f"--limit takes seconds from 0 on, not {limit}.")
    with alone():
        stopping.down(project, limit)


def logs(role: Role | None = None, /, *, lines: int = 50, follow: bool = False) -> None:
    """The end of the logs of the server and the worker.

    They lie in .blueprint/logs; log_megabytes and log_files (pyproject.toml) say how much of
    them is kept. For what systemd runs, its journal is shown.

    Parameters
    ----------
    role
        `server` or `worker`; else both.
    lines
        How many lines of each.
    follow
        Go on with what is written from now on, until Ctrl-C.
    """
    enter()
    from blueprint import reading
    from blueprint.processes import SERVER, WORKER

    if lines < 0:
        raise Problem(f"--lines takes a number from 0 on, not {lines}.")
    chosen = [one for one in (SERVER, WORKER) if role in (None, one.role)]
    reading.show_logs(chosen, lines, follow)


def open_ui() -> None:
    """Open Prefect's UI in a browser; print its address where there is none, or no terminal."""
    project = enter()
    from blueprint import reading

    reading.open_ui(project)


def _record(what: object, serves: str, log: bool) -> None:
    """This process is the project's server or worker, so that other commands find it."""
    from blueprint import logs as writing
    from blueprint.processes import STARTED_BY, Supervised

    assert isinstance(what, Supervised)
    what.recorded(os.getpid(), serves, os.environ.get(STARTED_BY, "a terminal"))
    if log:
        writing.write_to(what.log)
