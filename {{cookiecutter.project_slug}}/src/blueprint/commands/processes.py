"""The server and the worker.

Prefect is imported inside a command, never above it: it reads its settings once, at import,
and it takes seconds.
"""

from __future__ import annotations

import os

from blueprint import show
from blueprint.project import enter


def server() -> None:
    """The project's server in this terminal, until Ctrl-C."""
    project = enter()
    from blueprint import services

    command = services.server_command(project)
    if services.is_healthy(project):
        show.ok(f"a server already runs at {project.api_url}")
        return
    os.execv(command[0], command)


def up() -> None:
    """Start the server and a worker in the background, where none is running."""
    project = enter()
    from blueprint import deploying, manifest, services
    from blueprint.processes import alone

    show.heading("Up")
    plan = manifest.load()
    with alone():
        services.ensure_server(project)
        with services.connected(project) as client:
            for pool in plan.pools:
                deploying.ensure_pool(client, pool)
            services.ensure_worker(client, plan.pools[0])
    show.ok(f"UI: {project.ui_url}")


def down() -> None:
    """Stop the worker and the server that this project started."""
    project = enter()
    from blueprint import stopping
    from blueprint.processes import alone

    with alone():
        stopping.down(project)
