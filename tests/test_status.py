"""What is told of a project at work: each fault is provoked, named first, and mended by the very
command that is printed with it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from faults import fault, mend, states, status
from histories import edited
from living import HARD, NAME, POOL, Living, wait_for

pytestmark = pytest.mark.slow

DEPLOYMENT = f"{NAME}/production-etl"
NOT_CLONED = (".venv", ".blueprint", "__pycache__")


@pytest.fixture(scope="module")
def living(stamp_living: Callable[..., Living]) -> Iterator[Living]:
    """A project after all its phases."""
    one = stamp_living("first", project_slug="ledger", **HARD)
    try:
        one.script("execute_all_phases.sh")
        yield one
    finally:
        one.blueprint("down")


@pytest.fixture
def deployed(living: Living) -> Iterator[Living]:
    """The project with its server at work; nothing is wrong with it before and after each test."""
    assert status(living)["wrong"] == []
    yield living
    assert status(living)["wrong"] == []


def test_after_all_phases_nothing_is_wrong_and_everything_is_told(deployed: Living) -> None:
    told = status(deployed)
    assert told["exit_code"] == 0 and states(told) == ["done"] * 3 and told["next"] is None
    assert told["server"]["state"] == "answers" and told["server"]["version"].startswith("3.")
    (pool,), (one,) = told["pools"], told["deployments"]
    assert pool["name"] == POOL and len(pool["workers"]) == 1
    assert [queue["name"] for queue in pool["queues"]] == ["default"]
    assert one["full_name"] == DEPLOYMENT and one["upcoming"] >= 3
    assert (one["schedules"][0]["when"], one["schedules"][0]["active"]) == (
        "15 6 * * MON-FRI",
        True,
    )
    assert [run["state"] for run in one["recent"]] == ["Completed"] * len(one["recent"])
    assert one["recent"][-1]["loaded"] == 3000
    (refused,), (target,) = told["quarantine"], told["disk"]["targets"]
    assert refused["records"] == 12 * refused["files"] > 0
    sizes = [target["size"], *(told["disk"][key] for key in ("logs", "database"))]
    assert all(size > 1000 for size in sizes)
    printed = deployed.ends("check_status.sh")[1]
    assert "06:15 Europe/Berlin" in printed
    code, printed = deployed.ends("validate_install.sh", "--server")
    assert code == 0 and "Prefect 3." in printed
    assert "this project's" in deployed.ends("validate_setup.sh")[1]


def test_a_paused_pool_is_named_and_resumed_by_what_is_printed(deployed: Living) -> None:
    deployed.prefect("work-pool", "pause", POOL)
    mend(deployed, fault(deployed, "is paused: it starts no run"))


def test_a_paused_schedule_is_told_with_its_command_and_is_no_fault(deployed: Living) -> None:
    schedule = status(deployed)["deployments"][0]["schedules"][0]["id"]
    deployed.prefect("deployment", "schedule", "pause", DEPLOYMENT, schedule)
    told = status(deployed)
    assert told["exit_code"] == 0
    assert "is paused" in told["notes"][0]["what"]
    mend(deployed, told["notes"][0]["mend"])
    assert status(deployed)["notes"] == []


def test_a_failed_run_is_told_with_its_reason_until_a_run_completes(deployed: Living) -> None:
    parameter = ("--param", "source_url=data/none.csv")
    deployed.fails(deployed.tool("blueprint"), "run", *parameter)
    assert "data/none.csv" in str(status(deployed)["wrong"])
    mend(deployed, fault(deployed, "ended Failed: There is no file"))


def test_runs_stuck_in_scheduled_are_told_with_the_worker_that_is_missing(
    deployed: Living,
) -> None:
    worker = status(deployed)["worker_here"]
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: status(deployed)["worker_here"] is None)
    assert fault(deployed, "No worker serves the work pool").endswith("blueprint up")
    deployed.blueprint("run", "--no-watch")
    wait_for(lambda: "stuck in Scheduled" in str(status(deployed)["wrong"]))
    mend(deployed, fault(deployed, "1 run is stuck in Scheduled, since no worker serves"))
    wait_for(lambda: not status(deployed)["wrong"])
    wait_for(lambda: not _in_state(deployed, "Late", "Running"))


def test_a_deployment_that_was_removed_is_not_found_and_phases_2_and_3_are_pending(
    deployed: Living,
) -> None:
    deployed.prefect("deployment", "delete", DEPLOYMENT)
    command = fault(deployed, "Deployment not found: the server has no")
    assert states(status(deployed)) == ["done", "pending", "pending"]
    assert status(deployed)["next"] == command == "scripts/phase2_execute.sh"
    mend(deployed, command)
    told = status(deployed)
    assert states(told) == ["done", "done", "pending"]
    assert (told["exit_code"], told["next"]) == (2, "scripts/phase3_execute.sh")
    mend(deployed, told["next"])
    assert states(status(deployed)) == ["done"] * 3


def test_a_work_pool_that_was_removed_is_not_found_and_made_by_what_is_printed(
    deployed: Living,
) -> None:
    deployed.prefect("--no-prompt", "work-pool", "delete", POOL)
    mend(deployed, fault(deployed, "Work pool not found: the server has no"))
    # What went with it is told and mended one after the other.
    for _ in range(5):
        if not (told := status(deployed)["wrong"]):
            break
        assert not any("Work pool not found" in one["what"] for one in told)
        mend(deployed, told[0]["mend"])


def test_what_differs_from_the_manifest_is_told_until_it_is_deployed(deployed: Living) -> None:
    with edited(deployed.path / "prefect.yaml", "batch_size: 50000", "batch_size: 40000"):
        fault(deployed, "The server does not hold what prefect.yaml says: production-etl: param")
        assert states(status(deployed)) == ["done", "pending", "done"]


def test_after_down_the_phases_stay_done_and_in_a_fresh_clone_they_are_pending(
    living: Living,
) -> None:
    living.blueprint("down")
    told = status(living)
    assert states(told) == ["done"] * 3
    assert told["next"] == fault(living, "Connection refused") == ".venv/bin/blueprint up"
    clone = living.copied_to(living.path.with_name("clone"), *NOT_CLONED)
    told = status(clone)
    assert states(told) == ["pending"] * 3
    assert told["next"] == "scripts/phase1_execute.sh"
    # A copied environment runs the code of the folder that it was made for.
    (clone.path / ".venv").symlink_to(living.path / ".venv")
    assert "another folder's" in str(status(clone)["wrong"])
    (clone.path / ".venv").unlink()


def _in_state(living: Living, *names: str) -> list[dict[str, Any]]:
    return living.api("/flow_runs/filter", {"flow_runs": {"state": {"name": {"any_": names}}}})
