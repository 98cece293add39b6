"""What phase 3 proves of a deployment: other parameters, wrong ones, the schedule."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse

from blueprint import runs, show
from blueprint.cuts import cut_source
from blueprint.project import STATE, Problem
from ingest.summary import RunSummary
from runtime.summary import read


def test_run(
    client: SyncPrefectClient, deployment: DeploymentResponse, plan: dict[str, Any]
) -> tuple[FlowRun, RunSummary]:
    """A run with overridden parameters, into a target of its own that is thrown away.

    Raises:
        Problem: the run did not complete, or not with these parameters.
    """
    scratch = STATE / "scratch" / datetime.now().strftime("%Y%m%dT%H%M%S%f")
    try:
        return _run_into(scratch, client, deployment, plan)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _run_into(
    scratch: Path, client: SyncPrefectClient, deployment: DeploymentResponse, plan: dict[str, Any]
) -> tuple[FlowRun, RunSummary]:
    small = cut_source(plan, scratch / "cut")
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
    summary = summary_of(client, run)
    arrived = {key: run.parameters.get(key) for key in parameters}
    if arrived != parameters or summary.rows_read != small.count:
        # By their names: the manifest's own target may hold a password.
        lost = [key for key in parameters if arrived[key] != parameters[key]]
        raise Problem(
            f"The overridden parameters did not arrive (others: {', '.join(lost) or 'none'}), and "
            f"the run read {summary.rows_read} records of {small.count}."
        )
    if Path(summary.target) != scratch / "warehouse.duckdb":
        raise Problem(f"The test run loaded into {summary.target}, not into its scratch target.")
    show.ok(f"run {run.name} had the other parameters and touched no row of the warehouse")
    return run, summary


def refuse_wrong(client: SyncPrefectClient, deployment: DeploymentResponse) -> None:
    """A value out of bounds and an unknown parameter are refused before a run is made.

    Raises:
        Problem: one of them was taken.
    """
    for wrong in ({"batch_size": 0}, {"batch_sise": 50}):
        try:
            runs.trigger(client, deployment, wrong)
        except Problem:
            show.ok(f"a wrong parameter is refused: {wrong}")
        else:
            raise Problem(f"The server took the wrong parameter {wrong}; see the flow's signature.")


def check_schedule(
    client: SyncPrefectClient, deployment: DeploymentResponse, plan: dict[str, Any]
) -> str:
    """The next run is lined up for when the cron schedule says; gives that time as text.

    Raises:
        Problem: there is no cron schedule, it is paused, or its runs are missing or off.
    """
    schedule = next((one for one in plan.get("schedules") or [] if "cron" in one), None)
    if schedule is None:
        raise Problem(
            "prefect.yaml gives this deployment no cron schedule: nothing would run by itself."
        )
    show.doing("looking for the runs that the schedule has lined up")
    lined_up = runs.await_scheduled(client, deployment, schedule["slug"])
    due = runs.check_next(lined_up, schedule)
    text = f"{due:%a %Y-%m-%d %H:%M} {schedule.get('timezone') or 'UTC'}"
    show.ok(
        f"schedule {schedule['cron']!r} is active, {len(lined_up)} runs are Scheduled, next at {text}"
    )
    return text


def summary_of(client: SyncPrefectClient, run: FlowRun) -> RunSummary:
    """What a completed run says of itself.

    Raises:
        Problem: it left no summary.
    """
    summary = read(client, run.id)
    if summary is None:
        raise Problem(f"The run {run.name} left no summary: see its logs in the UI.")
    return summary
