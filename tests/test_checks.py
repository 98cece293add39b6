"""Status and validations against the real thing: each fault is provoked, named, and mended by the
very command that is printed with it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from living import Living, free_port, nothing_left_running, wait_for

pytestmark = pytest.mark.slow

NAME = """Müller's "Q3" Ledger"""
POOL = "it's the pool"
DEPLOYMENT = f"{NAME}/production-etl"
NO_ENVIRONMENT = shutil.ignore_patterns(".venv", ".blueprint", "__pycache__")


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("checks")
    with nothing_left_running(path):
        yield path


@pytest.fixture(scope="module")
def living(stamp_into: Callable[..., Path], scratch: Path) -> Iterator[Living]:
    """A stamped project with its environment, and nothing else: no server, nothing deployed."""
    api_url = f"http://127.0.0.1:{free_port()}/api"
    path = stamp_into(
        scratch,
        project_name=NAME,
        project_slug="ledger",
        work_pool_name=POOL,
        schedule="15 6 * * MON-FRI",
        timezone="Europe/Berlin",
        prefect_api_url=api_url,
        create_venv=True,
    )
    one = Living(path, api_url, scratch / "home" / "prefect")
    try:
        yield one
    finally:
        one.blueprint("down")


@pytest.fixture(scope="module")
def _phases(living: Living) -> None:
    living.script("execute_all_phases.sh")


@pytest.fixture
def deployed(living: Living, _phases: None) -> Iterator[Living]:
    """The project after all its phases; nothing is wrong with it before and after each test."""
    assert status(living)["wrong"] == []
    yield living
    assert status(living)["wrong"] == []


def reported(living: Living, script: str, *arguments: str) -> tuple[int, str]:
    """The exit code of a script, and what it printed."""
    done = subprocess.run(
        ["dash", str(living.path / "scripts" / script), *arguments],
        cwd="/",
        env=living.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
    )
    assert "Traceback" not in done.stdout
    return done.returncode, done.stdout


def status(living: Living) -> dict[str, Any]:
    code, printed = reported(living, "check_status.sh", "--json")
    told = json.loads(printed)
    assert told["exit_code"] == code
    return told


def states(told: dict[str, Any]) -> list[str]:
    return [phase["state"] for phase in told["phases"]]


def fault(living: Living, words: str) -> str:
    """The command that is given to mend the fault of those words, which is said first."""
    code, printed = reported(living, "check_status.sh")
    lines = printed.splitlines()
    assert code == 1, printed
    assert lines[2].startswith("  wrong ") and words in lines[2], printed
    return next(line.split("Mend it: ")[1] for line in lines if "Mend it: " in line)


def mend(living: Living, command: str) -> str:
    """Type a printed command in the project's folder."""
    return living.in_project("sh", "-c", command)


def latest(living: Living, state: str) -> list[dict[str, Any]]:
    asked = {"flow_runs": {"state": {"name": {"any_": [state]}}}, "sort": "START_TIME_DESC"}
    return living.api("/flow_runs/filter", asked)


@contextmanager
def edited(path: Path, old: str, new: str) -> Iterator[None]:
    before = path.read_text("utf-8")
    assert old in before
    path.write_text(before.replace(old, new), "utf-8")
    try:
        yield
    finally:
        path.write_text(before, "utf-8")


# What is told before anything was started.


def test_connection_refused_is_named_where_the_server_is_not_running(living: Living) -> None:
    assert fault(living, "Connection refused: the server is not running") == (
        ".venv/bin/blueprint up"
    )
    told = status(living)
    assert states(told) == ["pending"] * 3
    assert told["next"] == "scripts/phase1_execute.sh"
    assert told["disk"]["free"] > 0


def test_both_validations_pass_as_stamped_and_say_how_a_server_is_started(living: Living) -> None:
    code, printed = reported(living, "validate_setup.sh", "--json")
    assert (code, json.loads(printed)["wrong"]) == (0, [])
    code, printed = reported(living, "validate_install.sh")
    assert code == 0
    assert "no server runs at" in printed and ".venv/bin/blueprint up" in printed
    code, printed = reported(living, "validate_install.sh", "--server", "--json")
    assert code == 1
    assert [one["check"] for one in json.loads(printed)["wrong"]] == ["api"]


def test_the_validation_for_ci_runs_both_with_the_projects_own_python(living: Living) -> None:
    command = [sys.executable, str(living.path / "scripts" / "run_validation.py"), "--json"]
    told = json.loads(living.in_project(*command))
    assert told["ok"] is True
    assert len(told["install"]["checks"]) + len(told["setup"]["checks"]) >= 12
    with edited(living.path / "prefect.yaml", "    schedules:", "    shedules:"):
        assert "'shedules' is not a key" in living.fails(*command[:2])


def test_all_faults_of_the_setup_are_told_at_once_each_with_what_mends_it(living: Living) -> None:
    path, code_of = living.path, living.path / "src" / "data_pipeline"
    (path / ".env").write_text("PREFECT_API_KEE=x\nnonsense\n", "utf-8")
    (path / ".env").chmod(0o600)
    (path / "scripts" / "start_server.sh").chmod(0o644)
    (code_of / "load.py").rename(path / "load.py")
    try:
        with (
            edited(path / "prefect.toml", "query_seconds", "query_second"),
            edited(path / "prefect.yaml", "    schedules:", "    shedules:"),
            edited(code_of / "contract.py", 'KEY: tuple[str, ...] = ("order_id",)', "KEY = x"),
        ):
            code, printed = reported(living, "validate_setup.sh", "--json")
    finally:
        (path / ".env").unlink()
        (path / "scripts" / "start_server.sh").chmod(0o755)
        (path / "load.py").rename(code_of / "load.py")
    assert code == 1
    found = json.loads(printed)
    told = [(one["check"], one["what"], one["mend"]) for one in [*found["wrong"], *found["notes"]]]
    for check, words, command in (
        ("files", "src/data_pipeline/load.py", "git checkout -- src/data_pipeline/load.py"),
        ("executable", "start_server.sh", "sh scripts/make_executable.sh"),
        ("settings", "worker.query_second", "edit prefect.toml"),
        ("dotenv", ".env, line 1 sets PREFECT_API_KEE", "edit .env"),
        ("dotenv", ".env, line 2 is not NAME=value", "edit .env"),
        ("manifest", "'shedules' is not a key", "blueprint lint"),
        ("contract", "name 'x' is not defined", "edit src/data_pipeline/contract.py"),
    ):
        assert any(c == check and words in w and command in m for c, w, m in told), (words, told)
    assert json.loads(reported(living, "validate_setup.sh", "--json")[1])["ok"]


@pytest.mark.parametrize(
    ("file", "old", "new", "check", "said"),
    [
        ("transform.py", "lower(customer.email)", "lower(customer.mail)", "transform", "mail"),
        ("transform.py", "return records.project(", "return (", "transform", "must return a rel"),
        ("contract.py", '("order_id",)', '("order_no",)', "transform", "order_no"),
        ("contract.py", '"updated_at"\n', '"updated"\n', "contract", "WATERMARK, 'updated'"),
        ("flow.py", "def data_pipeline(", "def data_pipe(", "flow", "data_pipeline"),
        ("config.py", "ge=1, le=1_000_000", "ge=1, le=10", "flow", "batch_size"),
    ],
)
def test_a_fault_of_the_users_code_is_found_before_a_run(
    file: str, old: str, new: str, check: str, said: str, living: Living
) -> None:
    with edited(living.path / "src" / "data_pipeline" / file, old, new):
        code, printed = reported(living, "validate_setup.sh", "--json")
    told = json.loads(printed)["wrong"]
    assert code == 1
    assert any(one["check"] == check and said in one["what"] for one in told), told


def test_a_settings_value_that_prefect_refuses_is_told_and_not_thrown(living: Living) -> None:
    with edited(living.path / "prefect.toml", "query_seconds = 3", "query_seconds = 'soon'"):
        code, printed = reported(living, "validate_setup.sh")
        assert code == 1 and "query_seconds" in printed
        assert fault(living, "Prefect refuses what prefect.toml") == "scripts/validate_setup.sh"


def test_a_broken_manifest_is_told_first_and_the_rest_still_shows(living: Living) -> None:
    with edited(living.path / "prefect.yaml", "cron: '15 6 * * MON-FRI'", "cron: 'soon'"):
        assert fault(living, "prefect.yaml has faults") == "scripts/validate_setup.sh"
        told = status(living)
    assert told["disk"]["total"] > 0
    assert states(told)[0] == "pending"


def test_a_port_that_something_else_has_is_named_with_its_owner(living: Living) -> None:
    port = living.api_url.split(":")[2].split("/")[0]
    other = subprocess.Popen(
        [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", port],
        cwd=living.path / "data",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: status(living)["server"]["state"] == "no-prefect")
        fault(living, f"taken by python (process {other.pid}), which is no Prefect server")
        code, printed = reported(living, "validate_setup.sh")
        assert code == 1 and f"port {port} is taken by python (process {other.pid})" in printed
    finally:
        other.terminate()
        other.wait(timeout=20)


def test_packages_that_are_not_as_locked_are_all_told_and_mended(living: Living) -> None:
    uv = str(Path(sys.executable).with_name("uv"))
    path = {"PATH": f"{Path(uv).parent}:{living.environment['PATH']}"}
    subprocess.run(
        [uv, "pip", "uninstall", "-q", "--python", living.tool("python"), "prefect", "pytz"],
        check=True,
    )
    code, printed = reported(living, "validate_install.sh")
    assert code == 1
    assert "prefect 3." in printed and "pytz 20" in printed
    command = fault(living, "prefect 3.8.8 is not installed; pytz")
    assert command == "python3 bootstrap.py --force"
    subprocess.run(
        ["sh", "-c", command], cwd=living.path, env=living.environment | path, check=True
    )
    assert reported(living, "validate_install.sh")[0] == 0


def test_a_local_run_lands_rows_in_a_scratch_target_and_nowhere_else(living: Living) -> None:
    code, printed = reported(living, "test_local_run.sh", "--json", "--param", "batch_size=700")
    told = json.loads(printed)
    assert (code, told["ok"], told["summary"]["rows_loaded"]) == (0, True, 3000)
    assert not (living.path / "data" / "warehouse.duckdb").exists()
    assert not (living.path / "quarantine").exists()
    assert list((living.path / ".blueprint" / "scratch").iterdir()) == []
    code, printed = reported(living, "test_local_run.sh", "--param", "source_url=data/none.csv")
    assert code == 1
    code, printed = reported(
        living, "test_local_run.sh", "--json", "--param", "source_url=data/none.csv"
    )
    assert code == 1 and "data/none.csv" in json.loads(printed)["error"]
    assert list((living.path / ".blueprint" / "scratch").iterdir()) == []


def test_a_local_run_without_records_fails_and_a_kept_target_can_be_looked_into(
    living: Living,
) -> None:
    empty = living.path.parent / "empty.ndjson"
    empty.touch()
    code, printed = reported(
        living, "test_local_run.sh", "--json", "--param", f"source_url={empty}"
    )
    assert code == 1 and "brought 0 records" in json.loads(printed)["error"]
    code, printed = reported(living, "test_local_run.sh", "--keep")
    assert code == 0
    kept = next(line.split("kept: ")[1] for line in printed.splitlines() if "kept: " in line)
    assert living.rows(target=f"{kept}/warehouse.duckdb") == 3000
    shutil.rmtree(living.path / kept)


# What is told of a server at work.


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
    printed = reported(deployed, "check_status.sh")[1]
    assert "06:15 Europe/Berlin" in printed
    code, printed = reported(deployed, "validate_install.sh", "--server")
    assert code == 0 and "Prefect 3." in printed
    assert "this project's" in reported(deployed, "validate_setup.sh")[1]


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
    wait_for(lambda: not latest(deployed, "Late") + latest(deployed, "Running"))


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
    while told := status(deployed)["wrong"]:
        assert not any("Work pool not found" in one["what"] for one in told)
        mend(deployed, told[0]["mend"])


def test_what_differs_from_the_manifest_is_told_until_it_is_deployed(deployed: Living) -> None:
    with edited(deployed.path / "prefect.yaml", "batch_size: 50000", "batch_size: 40000"):
        fault(deployed, "The server does not hold what prefect.yaml says: production-etl: param")
        assert states(status(deployed)) == ["done", "pending", "done"]


# What is told of what is written down.


def test_after_down_the_phases_stay_done_and_in_a_fresh_clone_they_are_pending(
    living: Living, _phases: None
) -> None:
    living.blueprint("down")
    told = status(living)
    assert states(told) == ["done"] * 3
    assert told["next"] == fault(living, "Connection refused") == ".venv/bin/blueprint up"
    clone = Living(
        Path(shutil.copytree(living.path, living.path.parent / "clone", ignore=NO_ENVIRONMENT)),
        living.api_url,
        Path(living.environment["PREFECT_HOME"]),
    )
    told = status(clone)
    assert states(told) == ["pending"] * 3
    assert told["next"] == "scripts/phase1_execute.sh"
    # A copied environment runs the code of the folder that it was made for.
    (clone.path / ".venv").symlink_to(living.path / ".venv")
    assert "another folder's" in str(status(clone)["wrong"])
    (clone.path / ".venv").unlink()
