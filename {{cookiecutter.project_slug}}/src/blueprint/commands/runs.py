"""Runs on demand.

Prefect is imported inside a command, never above it: it reads its settings once, at import,
and it takes seconds.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

from cyclopts import Parameter

from blueprint import show
from blueprint.project import Problem, enter


def run(
    *,
    param: Annotated[list[str] | None, Parameter(negative=())] = None,
    local: bool = False,
    watch: bool = True,
) -> None:
    """Trigger a run of the deployment and wait for its end.

    Parameters
    ----------
    param
        A parameter as name=value, as often as there are parameters to set.
    local
        Run it here, without a server and a worker.
    watch
        Wait for the end; the exit code then tells whether the run completed.
    """
    project = enter()
    parameters = _parameters(param or [])
    if local:
        from blueprint import local as here

        here.without_server()
        from blueprint import manifest

        summary = here.run(manifest.load().first, parameters)
        show.summary(summary)
        return
    from blueprint import status

    status.trigger(project, parameters, watch)


def _parameters(given: list[str]) -> dict[str, Any]:
    """`name=value` pairs; a value that is JSON is taken as such, as `prefect` does it."""
    parameters: dict[str, Any] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise Problem(
                f"--param takes name=value, not {pair!r}; for example --param batch_size=50"
            )
        try:
            parameters[name] = json.loads(value)
        except ValueError:
            parameters[name] = value
    return parameters
