"""What is made of facts: the worst first, each with what mends it; the phases; the next command."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from blueprint import done
from blueprint.checking import checks, here, install, showing
from blueprint.checking.checks import Check, Outcome
from blueprint.checking.facts import (
    Deployment,
    Disk,
    Environment,
    Facts,
    Pool,
    Queue,
    Run,
    Schedule,
    Server,
    Target,
)
from blueprint.checking.judging import judge
from blueprint.done import Passed
from blueprint.project import Problem

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SCHEDULE = Schedule("s1", "production", "0 9 * * *", "Europe/Berlin", True)
POOL = Pool("it's mine", True, "process", workers=["w"], queues=[Queue("default", False, None)])
DEPLOYED = Deployment(
    "production-etl",
    "it's mine",
    "Flow/production-etl",
    "d1",
    changed=NOW - timedelta(hours=1),
    schedules=[SCHEDULE],
    next_run=NOW + timedelta(hours=20),
    upcoming=3,
)
GOOD = Facts(
    "project",
    "/project",
    NOW,
    Environment("3.13.0", "3.8.8", []),
    [],
    Server("http://127.0.0.1:4200/api", "http://127.0.0.1:4200", True, "answers"),
    [POOL],
    None,
    [DEPLOYED],
    [],
    Disk([Target("data/warehouse.duckdb", 10)], 10, 10, 50_000_000_000, 90_000_000_000),
    {
        "phase1": Passed(NOW.isoformat()),
        "phase2": Passed(NOW.isoformat(), ("d1",)),
        "phase3": Passed(NOW.isoformat(), ("d1",)),
    },
)


def run(state: str, kind: str, message: str = "") -> Run:
    return Run("r1", "brave-otter", state, kind, NOW, NOW - timedelta(hours=1), 1.0, message)


def server(state: str, reason: str = "") -> Facts:
    asked = replace(GOOD.server, state=state, reason=reason)
    return replace(GOOD, server=asked, pools=[], deployments=[])


def deployed(**changed: Any) -> Facts:
    return replace(GOOD, deployments=[replace(DEPLOYED, **changed)])


def pool(**changed: Any) -> Facts:
    return replace(GOOD, pools=[replace(POOL, **changed)])


def states(facts: Facts) -> list[str]:
    return [phase.state for phase in judge(facts).phases]


def test_nothing_is_wrong_where_all_is_well() -> None:
    verdict = judge(GOOD)
    assert (verdict.wrong, verdict.notes, verdict.next, verdict.exit_code) == ([], [], None, 0)
    assert states(GOOD) == ["done"] * 3


@pytest.mark.parametrize(
    ("facts", "said", "mend"),
    [
        (server("refused"), "Connection refused: the server is not running", "blueprint up"),
        (server("no-prefect", "nginx (process 7)"), "taken by nginx (process 7)", "blueprint up"),
        (server("denied", "It refuses this user (401)."), "(401)", ".env"),
        (server("failing", "500"), "answers with an error: 500", "blueprint logs server"),
        (pool(found=False, workers=[]), "Work pool not found: the server has no", "blueprint up"),
        (pool(paused=True), "is paused", 'prefect work-pool resume "it\'s mine"'),
        (
            pool(queues=[Queue("fast", True, None)]),
            "work queue 'fast'",
            'work-queue resume fast --pool "it\'s mine"',
        ),
        (pool(workers=[]), "No worker serves", "blueprint up"),
        (
            # `blueprint up` starts a worker for the first pool alone.
            replace(GOOD, pools=[POOL, replace(POOL, name="two's", workers=[])]),
            'No worker serves the work pool "two\'s"',
            'prefect worker start --pool "two\'s"',
        ),
        (
            deployed(missing="Deployment not found: the server has no 'x'.\nDeploy it."),
            "Deployment not found: the server has no 'x'. Phase 2 deploys it.",
            "scripts/phase2_execute.sh",
        ),
        (deployed(missing="It belongs to /other.\nRename."), "/other", "phase2_execute.sh"),
        (deployed(missing="f:g cannot be loaded: x"), "cannot be loaded", "validate_setup.sh"),
        (deployed(differences=["a is 1"] * 5), "; and 2 more", "scripts/phase2_execute.sh"),
        (deployed(upcoming=0), "lined up no run", "validate_install.sh"),
        (
            deployed(waiting=[run("Late", "SCHEDULED")]),
            "1 run is stuck in Scheduled, since the worker w is there",
            "blueprint logs worker",
        ),
        (
            deployed(waiting=[run("Pending", "PENDING")] * 2),
            "2 runs are stuck in Pending",
            "blueprint logs worker",
        ),
        (
            deployed(recent=[run("Running", "RUNNING"), run("Failed", "FAILED", "no file x")]),
            "ended Failed: no file x",
            "blueprint run",
        ),
        (
            replace(GOOD, disk=replace(GOOD.disk, free=5_000_000)),
            "nearly full: 5 MB are free",
            "blueprint prune",
        ),
        (
            replace(GOOD, environment=Environment("3.13.0", "", ["x is not installed"])),
            "x is not installed",
            "python3 bootstrap.py --force",
        ),
        (replace(GOOD, problems=["prefect.yaml is bad"]), "is bad", "validate_setup.sh"),
    ],
)
def test_a_fault_comes_with_what_mends_it(facts: Facts, said: str, mend: str) -> None:
    verdict = judge(facts)
    assert len(verdict.wrong) == 1
    assert said in verdict.wrong[0].what
    assert mend in verdict.wrong[0].mend
    assert verdict.exit_code == 1


def test_runs_that_wait_without_a_worker_are_one_fault_and_not_two() -> None:
    facts = replace(
        pool(workers=[]), deployments=[replace(DEPLOYED, waiting=[run("Scheduled", "SCHEDULED")])]
    )
    (fault,) = judge(facts).wrong
    assert "stuck in Scheduled, since no worker serves" in fault.what


def test_the_reason_stands_above_what_follows_from_it() -> None:
    facts = replace(
        pool(found=False, workers=[]),
        environment=Environment("3.13.0", "", ["x is not installed"]),
        deployments=[replace(DEPLOYED, recent=[run("Crashed", "CRASHED")])],
    )
    said = [fault.what[:11] for fault in judge(facts).wrong]
    assert said == ["The environ"[:11], "Work pool n"[:11], "The last ru"[:11]]
    assert judge(facts).next == "python3 bootstrap.py --force"


@pytest.mark.parametrize(
    ("change", "mend"),
    [
        ({"paused": True}, "prefect deployment resume Flow/production-etl"),
        (
            {"schedules": [replace(SCHEDULE, active=False)], "upcoming": 0},
            "prefect deployment schedule resume Flow/production-etl s1",
        ),
    ],
)
def test_what_an_operator_paused_is_told_and_is_no_fault(change: dict[str, Any], mend: str) -> None:
    verdict = judge(deployed(**change))
    assert verdict.exit_code == 0
    assert [one.mend.removeprefix(".venv/bin/") for one in verdict.notes] == [mend]


def test_a_deployment_made_just_now_may_have_no_run_lined_up_yet() -> None:
    assert judge(deployed(upcoming=0, changed=NOW - timedelta(seconds=5))).wrong == []


def test_a_run_that_was_cancelled_or_failed_before_a_good_one_is_no_fault() -> None:
    assert judge(deployed(recent=[run("Cancelled", "CANCELLED")])).wrong == []
    recent = [run("Completed", "COMPLETED"), run("Failed", "FAILED")]
    assert judge(deployed(recent=recent)).wrong == []


def test_a_fresh_project_is_told_phase_1_then_up_then_phases_2_and_3() -> None:
    fresh = replace(server("refused"), passed={})
    assert judge(fresh).next == "scripts/phase1_execute.sh"
    first = replace(fresh, passed={"phase1": Passed(NOW.isoformat())})
    assert judge(first).next == ".venv/bin/blueprint up"
    missing = replace(DEPLOYED, missing="Deployment not found: x")
    up = replace(first, server=GOOD.server, pools=[POOL], deployments=[missing])
    assert judge(up).next == "scripts/phase2_execute.sh"
    second = replace(up, deployments=[DEPLOYED])
    verdict = judge(second)
    assert verdict.next == "scripts/phase3_execute.sh"
    assert verdict.exit_code == 2


def test_what_the_server_holds_counts_for_more_than_what_is_written_down() -> None:
    assert states(deployed(missing="Deployment not found: x")) == ["done", "pending", "pending"]
    assert states(deployed(differences=["x"])) == ["done", "pending", "done"]
    assert states(deployed(id="d2")) == ["done", "done", "pending"]


def test_a_second_deployment_has_its_phases_to_pass_too() -> None:
    second = replace(DEPLOYED, name="orders", id="d2")
    both = replace(GOOD, deployments=[DEPLOYED, second])
    assert states(both) == ["done", "done", "pending"]
    assert judge(both).phases[2].why.endswith("deployed anew since: orders")
    proved = {**GOOD.passed, "phase3": Passed(NOW.isoformat(), ("d1", "d2"))}
    assert states(replace(both, passed=proved)) == ["done"] * 3
    missing = replace(second, missing="Deployment not found: x")
    assert states(replace(both, deployments=[DEPLOYED, missing])) == ["done", "pending", "pending"]


def test_without_a_server_what_is_written_down_is_told() -> None:
    assert states(server("refused")) == ["done"] * 3
    assert "cannot be asked" in judge(server("refused")).phases[1].why
    assert judge(server("refused")).next == ".venv/bin/blueprint up"


def test_the_json_holds_the_verdict_and_the_facts() -> None:
    told = json.loads(showing.as_json(GOOD, judge(GOOD)))
    assert (told["ok"], told["exit_code"], told["next"]) == (True, 0, None)
    assert told["deployments"][0]["next_run"] == "2026-11-26T08:00:00+00:00"
    assert told["phases"][2] == {
        "name": "phase3",
        "title": "runs and the schedule",
        "state": "done",
        "why": told["phases"][2]["why"],
        "command": "scripts/phase3_execute.sh",
    }


def test_what_is_wrong_is_printed_above_the_facts(capsys: pytest.CaptureFixture[str]) -> None:
    facts = deployed(recent=[run("Failed", "FAILED", "no file x")])
    showing.print_report(facts, judge(facts))
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("  wrong The last run of production-etl")
    assert "Mend it: .venv/bin/blueprint run" in "\n".join(lines[3:6])
    assert any(
        "next run" in line and "Thu 2026-11-26 09:00 Europe/Berlin" in line for line in lines
    )


def test_phases_are_noted_and_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(done, "STATE", tmp_path / ".blueprint")
    assert done.passed() == {}
    deployment = uuid4()
    done.note("phase1")
    done.note("phase2", deployment)
    assert done.passed()["phase2"].deployments == (str(deployment),)
    done.forget("phase2", "phase3")
    assert list(done.passed()) == ["phase1"]
    assert [path.name for path in (tmp_path / ".blueprint").iterdir()] == ["phases.json"]
    # As it was written while a project had one deployment.
    before = {"phase1": {"at": "x", "deployment": None}, "phase2": {"at": "y", "deployment": "d"}}
    (tmp_path / ".blueprint" / "phases.json").write_text(json.dumps(before))
    assert done.passed() == {"phase1": Passed("x"), "phase2": Passed("y", ("d",))}
    (tmp_path / ".blueprint" / "phases.json").write_text("[")
    assert done.passed() == {}


def test_refused_records_are_counted_and_a_targets_password_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_text("1\n2\n")
    (tmp_path / "b.failed.ndjson").write_text("3\n")
    (tmp_path / ".c.ndjson.partial").write_text("4\n")
    given = {"quarantine": str(tmp_path), "target": f"parquet:///{tmp_path}"}
    (found,) = here.quarantine_now([{"parameters": given}, {"parameters": given}])
    assert (found.files, found.records, found.size, found.whole) == (2, 3, 6, True)
    other = {"parameters": {"target": "postgresql://me:secret@db.example/orders"}}
    remote, folder = here.disk_now(None, [other, {"parameters": given}]).targets
    assert "db.example" in remote.name and "secret" not in remote.name
    assert (remote.size, folder.size) == (None, 8)


def test_one_check_that_fails_keeps_no_other_from_running(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken(_: Outcome) -> None:
        raise Problem("it is broken")

    def unforeseen(_: Outcome) -> None:
        raise ZeroDivisionError("by zero")

    def good(outcome: Outcome) -> None:
        outcome.found = "seven"

    results = checks.run(
        [
            Check("good", "It is good", good, "-"),
            Check("broken", "It is whole", broken, "mend that"),
            Check("unforeseen", "It is known", unforeseen, "mend this"),
        ]
    )
    assert not checks.all_ok(results)
    told = checks.as_dict(results)
    assert [fault["mend"] for fault in told["wrong"]] == ["mend that", "mend this"]
    assert told["wrong"][1]["what"] == "ZeroDivisionError: by zero"
    checks.print_results("Title", results)
    lines = [line.strip() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert lines[1] == "wrong broken: it is broken"
    assert "ok    good: It is good (seven)" in lines
    assert lines[-1] == "1 of 3 checks passed, 2 faults"


@pytest.mark.parametrize(
    ("version", "wrong", "notes"),
    [("3.8.8", 0, 0), ("3.99.0", 0, 0), ("3.0.1", 0, 1), ("2.20", 1, 0)],
)
def test_a_server_of_another_major_version_is_a_fault_and_an_older_one_is_told(
    version: str, wrong: int, notes: int
) -> None:
    outcome = Outcome()
    install._compatible(outcome, version)
    assert (len(outcome.wrong), len(outcome.notes)) == (wrong, notes)
