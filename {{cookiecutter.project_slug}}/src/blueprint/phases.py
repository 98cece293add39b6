"""The three phases: it runs here; it is deployed; its runs and its schedule work."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blueprint import environment, local, manifest, show
from blueprint.project import STATE, Problem, Project
from runtime.project import ROOT, resolve

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun
    from prefect.client.schemas.responses import DeploymentResponse

    from ingest.formats import RawRecord
    from ingest.summary import RunSummary

CUT_RECORDS = 100
"""How many records the test run of phase 3 reads."""


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
    deployment = manifest.load().first
    show.ok("prefect.yaml is in order")
    show.doing("running the pipeline here")
    summary = local.run(deployment, {})
    if summary.rows_loaded == 0:
        raise Problem(f"The pipeline ran and loaded no row: {summary.source_url} holds no records.")
    show.ok(
        f"read {summary.rows_read}, loaded {summary.rows_loaded} into {summary.table} "
        f"in {_inside(summary.target)}, rejected {summary.rows_rejected}"
    )
    if summary.quarantine_file:
        show.ok(f"rejected records, with reasons: {_inside(summary.quarantine_file)}")


def phase2(project: Project, take_over: bool = False) -> None:
    """The manifest is deployed, and the server holds what it says.

    Raises:
        Problem: see `deploying.deploy`.
    """
    from blueprint import deploying, services

    show.heading("Phase 2 of 3: the work pool and the deployment")
    plan = manifest.load()
    show.ok("prefect.yaml is in order")
    for warning in manifest.warnings(plan):
        show.warn(warning)
    with services.connected(project) as client:
        deploying.deploy(client, plan, take_over)


def phase3(project: Project) -> None:
    """A run, a run with other parameters, a refusal, and the schedule; ends with a table.

    Raises:
        Problem: one of them is not as it should be.
    """
    from blueprint import deploying, runs, services

    show.heading("Phase 3 of 3: runs and the schedule")
    plan = manifest.load().first
    pool = plan["work_pool"]["name"]
    with services.connected(project) as client:
        deployment = deploying.find(client, plan)
        if not services.online_workers(client, pool):
            raise Problem(
                f"No worker serves the pool {pool!r}, so a run would stay Scheduled.\n"
                f"Start one: `blueprint up`, or prefect worker start --pool '{pool}'"
            )
        show.doing("triggering a run with the manifest's parameters")
        run = runs.completed(runs.wait(client, runs.trigger(client, deployment), pool))
        summary = _summary(client, run)
        show.ok(f"run {run.name} is Completed")
        test, test_summary = _test_run(client, deployment, plan)
        _refuse_wrong(client, deployment)
        next_run = _check_schedule(client, deployment, plan)
        _show_recent(runs.recent(client, deployment))
        _show_result(project, (run, summary), (test, test_summary), next_run)


def all_phases(project: Project) -> None:
    """The three phases one after the other, with a server and a worker in the background.

    Raises:
        Problem: a phase failed; its own message says why.
    """
    began = time.monotonic()
    # A process of its own: it speaks to a temporary server, and Prefect reads its settings once.
    done = subprocess.run([sys.executable, "-m", "blueprint", "phase1"], cwd=ROOT)
    if done.returncode != 0:
        raise Problem("Phase 1 failed; the reason stands above.")
    from blueprint import services

    show.heading("Server")
    services.ensure_server(project)
    phase2(project)
    show.heading("Worker")
    with services.connected(project) as client:
        services.ensure_worker(client, manifest.load().first["work_pool"]["name"])
    phase3(project)
    show.heading(f"All three phases passed, in {time.monotonic() - began:.0f} s.")
    show.ok(
        "what was started here runs on in the background; stop it with: .venv/bin/blueprint down"
    )


def _test_run(
    client: SyncPrefectClient, deployment: DeploymentResponse, plan: dict[str, Any]
) -> tuple[FlowRun, RunSummary]:
    """A run with overridden parameters, into a target of its own that is thrown away."""
    from blueprint import runs
    from ingest.cut import cut

    scratch = STATE / "scratch" / datetime.now().strftime("%Y%m%dT%H%M%S%f")
    source = resolve(plan["parameters"]["source_url"])
    # Where the bad records of a source lie at its head, a few of them would be too many.
    small = cut(source, scratch / "cut", CUT_RECORDS, keep=_fits_the_contract)
    parameters = {
        "batch_size": max(1, small.count // 4),
        "source_url": str(small.path),
        "target": str(scratch / "warehouse.duckdb"),
        "quarantine": str(scratch / "quarantine"),
    }
    show.doing(
        f"triggering a run with other parameters: {small.count} records, into a scratch target"
    )
    pool = plan["work_pool"]["name"]
    run = runs.completed(runs.wait(client, runs.trigger(client, deployment, parameters), pool))
    summary = _summary(client, run)
    arrived = {key: run.parameters.get(key) for key in parameters}
    if arrived != parameters or summary.rows_read != small.count:
        raise Problem(
            f"The overridden parameters did not arrive: asked for {parameters}, the run had {arrived} "
            f"and read {summary.rows_read} records of {small.count}."
        )
    if Path(summary.target) != scratch / "warehouse.duckdb":
        raise Problem(f"The test run loaded into {summary.target}, not into its scratch target.")
    shutil.rmtree(scratch)
    show.ok(f"run {run.name} had the other parameters and touched no row of the warehouse")
    return run, summary


def _fits_the_contract(raw: RawRecord) -> bool:
    from pydantic import ValidationError

    from data_pipeline.contract import CONTRACT

    try:
        CONTRACT.record.model_validate(raw.value)
    except ValidationError:
        return False
    return raw.fault is None


def _refuse_wrong(client: SyncPrefectClient, deployment: DeploymentResponse) -> None:
    from blueprint import runs

    for wrong in ({"batch_size": 0}, {"batch_sise": 50}):
        try:
            runs.trigger(client, deployment, wrong)
        except Problem:
            show.ok(f"a wrong parameter is refused: {wrong}")
        else:
            raise Problem(f"The server took the wrong parameter {wrong}; see the flow's signature.")


def _check_schedule(
    client: SyncPrefectClient, deployment: DeploymentResponse, plan: dict[str, Any]
) -> str:
    from blueprint import runs

    schedule = next((one for one in plan.get("schedules") or [] if "cron" in one), None)
    if schedule is None:
        raise Problem(
            "prefect.yaml gives this deployment no cron schedule: nothing would run by itself."
        )
    show.doing("looking for the runs that the schedule has lined up")
    lined_up = runs.await_scheduled(client, deployment)
    due = runs.check_next(lined_up, schedule)
    text = f"{due:%a %Y-%m-%d %H:%M} {schedule['timezone']}"
    show.ok(
        f"schedule {schedule['cron']!r} is active, {len(lined_up)} runs are Scheduled, next at {text}"
    )
    return text


def _show_recent(recent: Sequence[FlowRun]) -> None:
    rows = [
        (
            run.name,
            run.state_name,
            _clock(run.start_time),
            f"{run.total_run_time.total_seconds():.1f} s",
        )
        for run in recent
    ]
    show.heading("Recent runs")
    show.table(("run", "state", "began", "took"), rows)


def _clock(moment: datetime | None) -> str | None:
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}" if moment else None


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


def _summary(client: SyncPrefectClient, run: FlowRun) -> RunSummary:
    from runtime.summary import read

    summary = read(client, run.id)
    if summary is None:
        raise Problem(f"The run {run.name} left no summary: see its logs in the UI.")
    return summary


def _inside(path: str) -> str:
    """A path as a person types it: from the project's root where it lies inside."""
    full = Path(path)
    return str(full.relative_to(ROOT)) if full.is_relative_to(ROOT) else path
