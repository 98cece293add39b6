"""`blueprint …`: one command for each script.

Prefect is imported inside a command, never above it: it reads its settings once, at import,
and it takes seconds.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated, Any

from cyclopts import App, Parameter

from blueprint import show
from blueprint.project import Problem, enter
from ingest.errors import PipelineError

app = App(
    name="blueprint",
    help="Check, deploy, run and stop this project's pipeline.",
    version_flags=[],
    result_action="return_value",
)


def main() -> None:
    """The console script: a fault that a person can mend ends with its message and exit code 1."""
    try:
        app()
    except (Problem, PipelineError) as problem:
        print(f"\nblueprint: {problem}", file=sys.stderr)
        sys.exit(1)
    except Exception as error:
        if not type(error).__module__.startswith(("prefect.", "httpx")):
            raise
        # What the server says of a request is for a person; how it came to that is not.
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        print(
            f"\nblueprint: the Prefect server did not do what was asked: {reason}", file=sys.stderr
        )
        print(
            "Does `blueprint status` say more? Is the address in prefect.toml right?",
            file=sys.stderr,
        )
        sys.exit(1)
    except KeyboardInterrupt:
        print("\nblueprint: stopped; the same command goes on from here.", file=sys.stderr)
        sys.exit(130)


@app.command
def phase1() -> None:
    """Phase 1: check the environment, and run the pipeline here without a server."""
    project = enter()
    from blueprint import phases

    phases.phase1(project)


@app.command
def phase2() -> None:
    """Phase 2: check the manifest, make the work pool, deploy, and compare."""
    project = enter()
    from blueprint import phases

    phases.phase2(project)


@app.command
def phase3() -> None:
    """Phase 3: trigger runs, with and without other parameters, and check the schedule."""
    project = enter()
    from blueprint import phases

    phases.phase3(project)


@app.command(name="all")
def all_phases() -> None:
    """All three phases, with a server and a worker in the background where none is running."""
    project = enter()
    from blueprint import phases

    phases.all_phases(project)


@app.command
def server() -> None:
    """The project's server in this terminal, until Ctrl-C."""
    project = enter()
    from blueprint import services

    command = services.server_command(project)
    if services.is_healthy(project):
        show.ok(f"a server already runs at {project.api_url}")
        return
    os.execv(command[0], command)


@app.command
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


@app.command
def down() -> None:
    """Stop the worker and the server that this project started."""
    project = enter()
    from blueprint import stopping
    from blueprint.processes import alone

    with alone():
        stopping.down(project)


@app.command
def deploy(*, take_over: bool = False) -> None:
    """Check the manifest, make the work pool, deploy, and compare.

    Parameters
    ----------
    take_over
        Replace a deployment of the same name that another project made.
    """
    project = enter()
    from blueprint import phases

    phases.phase2(project, take_over)


@app.command
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


@app.command
def status() -> None:
    """The server, the pool, the worker, the deployment, its next run and its last ones."""
    project = enter()
    from blueprint import status as report

    report.show_status(project)


@app.command
def infer_contract(*, source: str | None = None, force: bool = False) -> None:
    """Write contract.py from the source: what all of its records are.

    Parameters
    ----------
    source
        A URL or a path; else the source_url that prefect.yaml gives.
    force
        Also where somebody has edited contract.py.
    """
    enter()
    from blueprint import inferring

    inferring.infer_contract(source, force)


@app.command
def preview(
    *,
    limit: int = 1000,
    source: str | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> None:
    """What would be accepted, refused and loaded of the source's first records; loads nothing.

    The exit code is 0 if something would be accepted, and no more refused than a run bears.

    Parameters
    ----------
    limit
        How many records are read.
    source
        A URL or a path; else the source_url that prefect.yaml gives.
    as_json
        Print it as JSON.
    """
    enter()
    from blueprint import manifest, previewing

    if not previewing.preview(manifest.load().first, limit, source, as_json):
        sys.exit(1)


@app.command
def replay_quarantine(
    which: str | None = None, /, *, target: str | None = None, dry_run: bool = False
) -> None:
    """Judge refused records again, after the contract was mended, and load what passes.

    Parameters
    ----------
    which
        A run's id or a quarantine file; else all that are there.
    target
        Where the run has loaded; else the target that prefect.yaml gives.
    dry_run
        Say what would be accepted, and load nothing.
    """
    enter()
    from blueprint import manifest, replaying

    replaying.replay_quarantine(manifest.load().first, which, target, dry_run)


@app.command
def lint() -> None:
    """Check the manifest without a server."""
    enter()
    from blueprint import manifest, schedules

    plan = manifest.load()
    for warning in schedules.warnings(plan.deployments):
        show.warn(warning)
    show.ok("prefect.yaml is in order")


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
