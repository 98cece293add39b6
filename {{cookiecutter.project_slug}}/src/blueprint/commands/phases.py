"""The three phases and the deployment.

Prefect is imported inside a command, never above it: it reads its settings once, at import,
and it takes seconds.
"""

from __future__ import annotations

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


def lint() -> None:
    """Check the manifest without a server."""
    enter()
    from blueprint import manifest, schedules

    plan = manifest.load()
    for warning in schedules.warnings(plan.deployments):
        show.warn(warning)
    show.ok("prefect.yaml is in order")
