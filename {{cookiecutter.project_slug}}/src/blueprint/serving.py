"""How a server of this project is started: where it listens, what it keeps, and how long."""

from __future__ import annotations

import os
import sys

from prefect.settings import get_current_settings

from blueprint import limits
from blueprint.project import Problem, Project

_REACHES = {
    "0.0.0.0": ("127.0.0.1", "localhost"),
    "::": ("::1", "localhost"),
    "127.0.0.1": ("localhost",),
    "::1": ("localhost",),
    "localhost": ("127.0.0.1", "::1"),
}
"""Where a server that listens at the one answers, beside there."""


def server_command(project: Project) -> list[str]:
    """The command that serves the project's API on this machine.

    It listens at [server.api] host, where prefect.toml gives one, else at the API's own host.

    Raises:
        Problem: the API is not on this machine, or nobody would find the server at its address.
    """
    if not project.is_local:
        raise Problem(
            f"The API of this project is {project.api_url}, which is not on this machine: no server "
            "is started here. To use one of your own, change [api] url in prefect.toml."
        )
    asked, port = project.address
    given = get_current_settings().server.api
    host = given.host if "host" in given.model_fields_set else asked
    if host != asked and asked not in _REACHES.get(host, ()):
        raise Problem(
            f"[server.api] host in prefect.toml is {host}, and [api] url asks at {asked}, where that "
            'server would not answer. To share the server, listen everywhere: host = "0.0.0.0".'
        )
    prefect = [sys.executable, "-m", "prefect"]
    return [*prefect, "server", "start", "--host", host, "--port", str(port)]


def server_environment() -> dict[str, str]:
    """The environment of a server that this project starts: what it keeps, and how long.

    The server itself looks once an hour for what is older. A variable that is set already stays.

    Raises:
        Problem: pyproject.toml sets a wrong limit.
    """
    kept = limits.read()
    day = 24 * 60 * 60
    return {
        "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": f"P{kept.events_days}D",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(kept.runs_days * day),
        **os.environ,
    }
