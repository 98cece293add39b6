"""The three phases: it runs here; it is deployed; its runs and its schedule work."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blueprint import done, environment, inferring, local, manifest, schedules, show
from blueprint.manifest import Manifest
from blueprint.pipelines import tables
from blueprint.project import Problem, Project
from runtime.project import ROOT

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun
    from prefect.client.schemas.responses import DeploymentResponse

    from ingest.summary import RunSummary


def phase1(project: Project) -> None:
    """The environment is right and the pipeline lands rows, here and without a server.

    Raises:
        Problem: something is not as it should be.
    """
    show.heading("Phase 1 of 3: the environment, and the pipeline without a server")
    versions = environment.check()
    show.ok(", ".join(f"{name} {number}" for name, number in versions.items()) + ", as locked")
    show.ok(f"prefect.toml sets the API for this project alone: {project.api_url}")
    show.doing("starting a temporary server; the first one makes its database")
    local.without_server()
    plan = manifest.load()
    show.ok("prefect.yaml is in order")
    for deployment in plan.deployments:
        inferring.follow_source(deployment)
        tables.refuse_shared(plan.deployments)
        show.doing(f"running the pipeline here{_of(deployment, plan)}")
        _tell(local.run(deployment, {}))
    done.note("phase1")


def _tell(summary: RunSummary) -> None:
    if summary.rows_loaded == 0:
        raise Problem(f"The pipeline ran and loaded no row: {summary.source_url} holds no records.")
    show.ok(
        f"read {summary.rows_read}, loaded {summary.rows_loaded} into {summary.table} "
        f"in {_inside(summary.target)}, rejected {summary.rows_rejected}"
    )
    if summary.quarantine_file:
        show.ok(f"rejected records, with reasons: {_inside(summary.quarantine_file)}")


def _of(deployment: Mapping[str, Any], plan: Manifest) -> str:
    """Which deployment it is, where there are several."""
    return f": {deployment['name']}" if len(plan.deployments) > 1 else ""


def phase2(project: Project, take_over: bool = False) -> None:
    """The manifest is deployed, and the server holds what it says.

    Raises:
        Problem: see `deploying.deploy`.
    """
    from blueprint import deploying, services
    from blueprint.processes import alone

    show.heading("Phase 2 of 3: the work pool and the deployment")
    plan = manifest.load()
    show.ok("prefect.yaml is in order")
    for warning in schedules.warnings(plan.deployments):
        show.warn(warning)
    with services.connected(project) as client, alone():
        deploying.deploy(client, plan, take_over)
        done.note("phase2", *(deploying.find(client, one).id for one in plan.deployments))


def phase3(project: Project) -> None:
    """Of each deployment a run, one with other parameters, a refusal, the schedule; and a table.

    Raises:
        Problem: one of them is not as it should be.
    """
    from blueprint import deploying, pools, services

    show.heading("Phase 3 of 3: runs and the schedule")
    plan = manifest.load()
    with services.connected(project) as client:
        held = [deploying.find(client, one) for one in plan.deployments]
        for pool in plan.pools:
            if not services.online_workers(client, pool):
                raise Problem(
                    f"No worker serves the pool {pool!r}, so a run would stay Scheduled.\n"
                    + pools.start_worker(pool)
                )
        for one, deployment in zip(plan.deployments, held, strict=True):
            if named := _of(one, plan):
                show.heading(f"Deployment{named}")
            _prove(project, client, deployment, one)
        done.note("phase3", *(one.id for one in held))


def _prove(
    project: Project,
    client: SyncPrefectClient,
    deployment: DeploymentResponse,
    plan: dict[str, Any],
) -> None:
    from blueprint import proofs, runs

    show.doing("triggering a run with the manifest's parameters")
    pool = plan["work_pool"]["name"]
    run = runs.completed(runs.wait(client, runs.trigger(client, deployment), pool))
    summary = proofs.summary_of(client, run)
    show.ok(f"run {run.name} is Completed")
    test, test_summary = proofs.test_run(client, deployment, plan)
    proofs.refuse_wrong(client, deployment)
    next_run = proofs.check_schedule(client, deployment, plan)
    _show_recent(runs.recent(client, deployment))
    _show_result(project, (run, summary), (test, test_summary), next_run)


def all_phases(project: Project) -> None:
    """The three phases one after the other, with a server and a worker in the background.

    Raises:
        Problem: a phase failed; its own message says why.
    """
    began = time.monotonic()
    # A process of its own: it speaks to a temporary server, and Prefect reads its settings once.
    first = subprocess.run([sys.executable, "-m", "blueprint", "phase1"], cwd=ROOT)
    if first.returncode != 0:
        raise Problem("Phase 1 failed; the reason stands above.")
    from blueprint import services
    from blueprint.processes import alone

    show.heading("Server")
    with alone():
        services.ensure_server(project)
    phase2(project)
    show.heading("Worker")
    with alone(), services.connected(project) as client:
        services.ensure_worker(client, manifest.load().first["work_pool"]["name"])
    phase3(project)
    show.heading(f"All three phases passed, in {time.monotonic() - began:.0f} s.")
    show.ok(
        "what was started here runs on in the background; stop it with: .venv/bin/blueprint down"
    )


def _show_recent(recent: Sequence[FlowRun]) -> None:
    rows = [
        (
            run.name,
            run.state_name,
            show.clock(run.start_time),
            f"{run.total_run_time.total_seconds():.1f} s",
        )
        for run in recent
    ]
    show.heading("Recent runs")
    show.table(("run", "state", "began", "took"), rows)


def _show_result(
    project: Project,
    run: tuple[FlowRun, RunSummary],
    test: tuple[FlowRun, RunSummary],
    next_run: str,
) -> None:
    """One column a run, so that the table fits a narrow terminal."""
    both = (run, test)
    rows = [
        ("run", *(one.name for one, _ in both)),
        ("state", *(one.state_name for one, _ in both)),
        ("rows read", *(summary.rows_read for _, summary in both)),
        ("loaded", *(summary.rows_loaded for _, summary in both)),
        ("rejected", *(summary.rows_rejected for _, summary in both)),
        ("next scheduled run", next_run, None),
        ("UI", project.ui_url, None),
    ]
    show.heading("What ran")
    show.table(("", "as deployed", "test with other parameters"), rows)


def _inside(path: str) -> str:
    """A path as a person types it: from the project's root where it lies inside."""
    full = Path(path)
    return str(full.relative_to(ROOT)) if full.is_relative_to(ROOT) else path
