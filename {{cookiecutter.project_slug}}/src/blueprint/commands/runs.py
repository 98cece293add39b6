"""Runs on demand.

Prefect is imported inside a command, never above it: it reads its settings once, at import,
and it takes seconds.
"""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

from cyclopts import Parameter

from blueprint import show
from blueprint.project import Problem, enter


def run(
    *,
    param: Annotated[list[str] | None, Parameter(negative=())] = None,
    pipeline: Annotated[str | None, Parameter(name=["--pipeline", "--deployment"])] = None,
    local: bool = False,
    watch: bool = True,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> None:
    """Trigger a run of the deployment, show its log, and wait for its end.

    The exit code is 0 for Completed, 2 Failed, 3 Crashed, 4 Cancelled, 5 where no worker took it;
    1 where no run was made; 6 where the server was lost while it was watched.

    Parameters
    ----------
    param
        A parameter as name=value, as often as there are parameters to set.
    pipeline
        The name of a deployment in prefect.yaml, or of a pipeline; else the first there.
    local
        Run it here, without a server and a worker.
    watch
        Wait for the end.
    as_json
        Print only the run as JSON, at its end; with --local, what it did.
    """
    project = enter()
    parameters = _parameters(param or [])
    if local:
        _run_here(parameters, as_json, pipeline)
        return
    from blueprint import triggering

    triggering.trigger(project, parameters, deployment=pipeline, watch=watch, as_json=as_json)


def _run_here(parameters: dict[str, Any], as_json: bool, pipeline: str | None) -> None:
    from blueprint import local as here

    here.without_server()
    from blueprint import manifest

    show.quiet(as_json)
    summary = here.run(manifest.load().chosen(pipeline), parameters)
    show.summary(summary)
    if as_json:
        sys.stdout.write(summary.model_dump_json(indent=2) + "\n")


def test_failure(
    *,
    pipeline: str | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> None:
    """Make the pipeline fail on purpose, and check that it fails as it should.

    Runs the flow here, on records cut from the source, into a scratch target; leaves nothing.

    Parameters
    ----------
    pipeline
        The name of a deployment in prefect.yaml, or of a pipeline; else the first there.
    as_json
        Print it as JSON.
    """
    enter()
    from blueprint import failures, manifest

    if pipeline:
        manifest.load().chosen(pipeline)  # raises where there is none, before anything is started
    if not failures.test_failure(as_json, pipeline):
        sys.exit(1)


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
