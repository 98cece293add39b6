"""`blueprint status`: what is there, and what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blueprint import deploying, manifest, runs, services, show
from blueprint.processes import SERVER, WORKER
from blueprint.project import Problem, Project
from runtime.summary import read_all

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

    from ingest.summary import RunSummary

_CHARTED = 10
_Recent = list[tuple["FlowRun", "RunSummary | None"]]


def show_status(project: Project) -> None:
    """Print the state of everything; what is wrong comes with the command that mends it.

    Raises:
        Problem: something is wrong; it is raised after all that could be said was printed.
    """
    plan = manifest.load()
    with services.connected(project) as client:
        facts: list[tuple[str, str]] = [
            ("API", f"{project.api_url}, answers{_started(SERVER.process())}"),
            ("UI", project.ui_url),
        ]
        wrong: list[str] = []
        for pool in plan.pools:
            workers = services.online_workers(client, pool)
            names = ", ".join(one.name for one in workers) or "none"
            facts.append((f"workers of {pool}", f"{names}{_started(WORKER.process())}"))
            if not workers:
                wrong.append(f"No worker serves {pool!r}: start one with `blueprint up`.")
        ran: dict[str, _Recent] = {}
        for one in plan.deployments:
            wrong += _deployment(client, one, facts, ran)
    show.table(("what", "state"), facts)
    for name, recent in ran.items():
        show.heading(f"The last runs of {name}")
        show.runs(recent)
    if wrong:
        raise Problem("\n".join(wrong))


def _deployment(
    client: SyncPrefectClient,
    one: dict[str, Any],
    facts: list[tuple[str, str]],
    ran: dict[str, _Recent],
) -> list[str]:
    name = one["name"]
    try:
        held = deploying.find(client, one)
    except Problem as problem:
        facts.append((name, "not deployed by this project"))
        return [str(problem)]
    faults = deploying.differences(held, one, client)
    facts.append((name, "differs from prefect.yaml" if faults else "as prefect.yaml says"))
    lined_up = runs.scheduled(client, held)
    due = lined_up[0].expected_start_time if lined_up else None
    facts.append(
        (f"{name}: next run", f"{due.astimezone():%a %Y-%m-%d %H:%M %Z}" if due else "none")
    )
    recent = runs.recent(client, held, _CHARTED)
    summaries = read_all(client, [run.id for run in recent])
    if recent:
        ran[name] = [(run, summaries.get(run.id)) for run in recent]
    return [f"{fault}. Deploy again: `blueprint deploy`." for fault in faults]


def _started(process: object) -> str:
    return ", started by this project" if process else ""
