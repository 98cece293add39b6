"""The three phases and the deployment.

Prefect is imported inside a command, never above it: it reads its settings once, at import,
and it takes seconds.
"""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter

from blueprint import show
from blueprint.project import enter


def phase1() -> None:
    """Phase 1: check the environment, and run the pipeline here without a server."""
    project = enter()
    from blueprint import phases

    phases.phase1(project)


def phase2() -> None:
    """Phase 2: check the manifest, make the work pool, deploy, and compare."""
    project = enter()
    from blueprint import phases

    phases.phase2(project)


def phase3() -> None:
    """Phase 3: trigger runs, with and without other parameters, and check the schedule."""
    project = enter()
    from blueprint import phases

    phases.phase3(project)


def all_phases() -> None:
    """All three phases, with a server and a worker in the background where none is running."""
    project = enter()
    from blueprint import phases

    phases.all_phases(project)


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


def redeploy(
    *,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    take_over: bool = False,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> None:
    """Show where the server differs from the manifest, deploy, and put right what is left over.

    Parameters
    ----------
    dry_run
        Only show; the exit code is 2 where there is a difference, and 0 where there is none.
    take_over
        Replace a deployment of the same name that another project made.
    as_json
        Print it as JSON.
    """
    project = enter()
    from blueprint import redeploying

    code = redeploying.redeploy(project, dry_run=dry_run, as_json=as_json, take_over=take_over)
    if code:
        sys.exit(code)


def cleanup(
    *,
    yes: Annotated[bool, Parameter(negative=())] = False,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> None:
    """Remove from the server what this project has deployed; the code and the data stay.

    Parameters
    ----------
    yes
        Do not ask.
    dry_run
        Only show what would be removed.
    as_json
        Print it as JSON; needs --yes or --dry-run.
    """
    project = enter()
    from blueprint import cleaning

    cleaning.cleanup(project, yes=yes, dry_run=dry_run, as_json=as_json)


def lint() -> None:
    """Check the manifest without a server."""
    enter()
    from blueprint import manifest, schedules

    plan = manifest.load()
    for warning in schedules.warnings(plan.deployments):
        show.warn(warning)
    show.ok("prefect.yaml is in order")
