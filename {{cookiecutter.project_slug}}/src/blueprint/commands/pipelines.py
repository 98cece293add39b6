"""More pipelines in one project.

Prefect is imported inside a command, never above it: it reads its settings once, at import,
and it takes seconds.
"""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from blueprint.project import enter


def add_pipeline(
    name: str,
    /,
    *,
    source_url: str | None = None,
    schedule: str | None = None,
    timezone: str | None = None,
    table: str | None = None,
    infer: Annotated[bool, Parameter(negative="--no-infer")] = True,
) -> None:
    """Add a pipeline to this project: its code in src, its tests, its deployment in prefect.yaml.

    It has a source, a contract, a table, a quarantine folder and a schedule of its own, and shares
    the server, the work pool, the target and the environment. What is not given is as the first
    deployment has it. Where something fails, the project is as it was. docs/PIPELINES.md

    Parameters
    ----------
    name
        Lower-case letters, digits and _, as web_orders: the package, the flow, the deployment.
    source_url
        Where its records are.
    schedule
        When it runs: five cron fields.
    timezone
        In which timezone that is, as Europe/Berlin.
    table
        The table that it loads; else one of its own name.
    infer
        Infer the contract from the source now; with --no-infer it is the sample's, to be edited.
    """
    enter()
    from blueprint.pipelines import adding

    adding.add(adding.Wanted(name, source_url, schedule, timezone, table, infer))


def remove_pipeline(
    name: str,
    /,
    *,
    yes: Annotated[bool, Parameter(negative=())] = False,
    force: Annotated[bool, Parameter(negative=())] = False,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Remove a pipeline that was added: its deployment on the server too, with its schedule.

    Its rows, its refused records and the history of its runs stay.

    Parameters
    ----------
    name
        As it was added.
    yes
        Do not ask.
    force
        Also what somebody has edited or added.
    dry_run
        Only show what would be removed.
    """
    project = enter()
    from blueprint.pipelines import removing

    removing.remove(project, name, yes=yes, force=force, dry_run=dry_run)
