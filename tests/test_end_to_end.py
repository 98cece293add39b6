"""From one command to a green, scheduled, deployed run: real server, real worker, real source."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from living import Living, Source, free_port, nothing_left_running, wait_for

pytestmark = pytest.mark.slow

NAME = """Müller's "Q3" Ledger"""
POOL = "it's the pool"
SAMPLE_ROWS = 3000


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("end to end")
    with nothing_left_running(path):
        yield path


@pytest.fixture(scope="module")
def source(template: Path) -> Iterator[Source]:
    sample = next(template.glob("*/data/sample_orders.ndjson"))
    served = Source(sample.read_bytes())
    yield served
    served.close()


@pytest.fixture(scope="module")
def stamp(stamp_into: Callable[..., Path], scratch: Path) -> Callable[..., Living]:
    """Stamp a project with a ready environment, and give it a life of its own."""

    def stamped(folder: str, port: int, **answers: Any) -> Living:
        api_url = f"http://127.0.0.1:{port}/api"
        path = stamp_into(scratch / folder, prefect_api_url=api_url, create_venv=True, **answers)
        # A contract that somebody has edited is kept, though the source is not the sample.
        contract = path / "src" / "data_pipeline" / "contract.py"
        text = contract.read_text("utf-8")
        contract.write_text(text.replace('"""One order."""', '"""One order of ours."""'), "utf-8")
        return Living(path, api_url, scratch / "home" / folder)

    return stamped


@pytest.fixture(scope="module")
def project(stamp: Callable[..., Living], source: Source) -> Iterator[tuple[Living, str]]:
    """A project with hard answers, after all its phases; and what the phases printed."""
    one = stamp(
        "first",
        free_port(),
        project_name=NAME,
        work_pool_name=POOL,
        schedule="15 6 * * MON-FRI",
        timezone="Europe/Berlin",
        source_url=source.url,
    )
    source.fail_next = 2
    try:
        yield one, one.script("execute_all_phases.sh")
    finally:
        one.blueprint("down")


def test_all_phases_end_with_a_table_of_completed_runs(project: tuple[Living, str]) -> None:
    living, printed = project
    table = {
        cells[0]: cells[1:]
        for line in printed.splitlines()
        if line.startswith("│") and (cells := [cell.strip() for cell in line.strip("│").split("│")])
    }
    assert table["state"] == ["Completed", "Completed"]
    assert int(table["rows read"][0]) > SAMPLE_ROWS
    assert table["loaded"][0] == str(SAMPLE_ROWS)
    assert int(table["rejected"][0]) == 12
    assert re.fullmatch(
        r"\w{3} \d{4}-\d\d-\d\d 06:15 Europe/Berlin", table["next scheduled run"][0]
    )
    assert table["UI"][0] == living.api_url.removesuffix("/api")


def test_a_source_that_fails_twice_is_retried_and_the_retries_show(
    project: tuple[Living, str], source: Source
) -> None:
    living, _ = project
    source.fail_next = 2
    living.blueprint("run")
    assert source.fail_next == 0
    run = _latest(living)
    tasks = living.api("/task_runs/filter", {"flow_runs": {"id": {"any_": [run["id"]]}}})
    extract = next(task for task in tasks if task["name"].startswith("extract"))
    assert extract["run_count"] == 3

    def logged() -> str:
        logs = living.api("/logs/filter", {"logs": {"flow_run_id": {"any_": [run["id"]]}}})
        text = "\n".join(log["message"] for log in logs)
        return text if "Retry 2/3" in text else ""

    assert "503" in wait_for(logged)


def test_a_source_that_is_not_there_fails_the_run_with_what_to_do_and_is_not_retried(
    project: tuple[Living, str],
) -> None:
    living, _ = project
    printed = living.fails(living.tool("blueprint"), "run", "--param", "source_url=data/none.csv")
    assert "Failed" in printed
    assert "data/none.csv" in printed
    run = _latest(living)
    assert run["state"]["type"] == "FAILED"
    tasks = living.api("/task_runs/filter", {"flow_runs": {"id": {"any_": [run["id"]]}}})
    assert [task["run_count"] for task in tasks] == [1]


def test_the_server_holds_what_the_manifest_says(
    project: tuple[Living, str], source: Source
) -> None:
    living, _ = project
    held = living.api("/deployments/filter", {})
    assert len(held) == 1
    assert held[0]["name"] == "production-etl"
    assert held[0]["work_pool_name"] == POOL
    assert held[0]["parameters"] == {"source_url": source.url, "batch_size": 50000}
    schedule = held[0]["schedules"][0]
    assert schedule["active"]
    assert schedule["schedule"]["cron"] == "15 6 * * MON-FRI"
    assert schedule["schedule"]["timezone"] == "Europe/Berlin"
    flow = living.api(f"/flows/{held[0]['flow_id']}")
    assert flow["name"] == NAME


def test_scheduled_runs_exist(project: tuple[Living, str]) -> None:
    living, _ = project
    runs = living.api(
        "/flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
    )
    assert len([run for run in runs if run["auto_scheduled"]]) >= 3


def test_no_test_row_reaches_the_warehouse(project: tuple[Living, str]) -> None:
    living, _ = project
    before = living.rows()
    living.script("phase3_execute.sh")
    assert living.rows() == before == SAMPLE_ROWS
    assert list((living.path / ".blueprint" / "scratch").iterdir()) == []


def test_a_schedule_taken_out_of_the_manifest_does_not_fire_any_more(
    project: tuple[Living, str],
) -> None:
    living, _ = project
    manifest = living.path / "prefect.yaml"
    before = manifest.read_text("utf-8")
    manifest.write_text(before.replace("slug: production", "slug: nightly"), "utf-8")
    try:
        assert "removed the schedule production" in living.script("phase2_execute.sh")
        held = living.api("/deployments/filter", {})[0]
        assert [schedule["slug"] for schedule in held["schedules"]] == ["nightly"]
    finally:
        manifest.write_text(before, "utf-8")
        living.blueprint("deploy")


def test_a_schedule_that_an_operator_paused_stays_paused_after_a_deploy(
    project: tuple[Living, str],
) -> None:
    living, _ = project
    held = living.api("/deployments/filter", {})[0]
    schedule = held["schedules"][0]["id"]
    living.prefect("deployment", "schedule", "pause", f"{NAME}/production-etl", schedule)
    living.blueprint("deploy")
    assert not living.api(f"/deployments/{held['id']}")["schedules"][0]["active"]
    assert "paused" in living.fails(living.tool("blueprint"), "phase3")
    living.prefect("deployment", "schedule", "resume", f"{NAME}/production-etl", schedule)


def test_a_manifest_with_a_fault_deploys_nothing_and_names_it(project: tuple[Living, str]) -> None:
    living, _ = project
    manifest = living.path / "prefect.yaml"
    before = manifest.read_text("utf-8")
    try:
        manifest.write_text(before.replace("batch_size: 50000", "batch_size: 0"), "utf-8")
        assert "batch_size" in living.fails(living.tool("blueprint"), "deploy")
        manifest.write_text(before.replace("    schedules:", "    shedules:"), "utf-8")
        assert "'shedules' is not a key" in living.fails(living.tool("blueprint"), "deploy")
    finally:
        manifest.write_text(before, "utf-8")
    assert living.api("/deployments/filter", {})[0]["parameters"]["batch_size"] == 50000


def test_another_api_in_the_environment_stops_with_a_message(project: tuple[Living, str]) -> None:
    living, _ = project
    printed = living.fails(
        living.tool("blueprint"), "status", PREFECT_API_URL="http://127.0.0.1:9/api"
    )
    assert "http://127.0.0.1:9/api" in printed
    assert living.api_url in printed


def test_phase_1_needs_no_server_whatever_the_api_url_says(project: tuple[Living, str]) -> None:
    living, _ = project
    settings = living.path / "prefect.toml"
    before = settings.read_text("utf-8")
    head, _, rest = before.partition("[server.api]")
    remote = head.replace(living.api_url, "https://prefect.invalid/api") + rest.partition("\n\n")[2]
    settings.write_text(remote, "utf-8")
    try:
        printed = living.script("phase1_execute.sh")
        assert f"loaded {SAMPLE_ROWS}" in printed
        refused = living.fails("dash", str(living.path / "scripts" / "start_server.sh"))
        assert "no server is started here" in " ".join(refused.split())
    finally:
        settings.write_text(before, "utf-8")


def test_everything_a_run_writes_is_ignored_by_git(project: tuple[Living, str]) -> None:
    living, _ = project
    git = ["git", "-c", "init.defaultBranch=main", "-c", "user.name=t", "-c", "user.email=t@t"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "stamped"]):
        subprocess.run([*git, *arguments], cwd=living.path, check=True)
    tracked = subprocess.run(
        [*git, "ls-files"], cwd=living.path, check=True, capture_output=True, text=True
    ).stdout.split("\n")
    written = (".venv/", ".blueprint/", ".prefect/", "quarantine/", "data/warehouse")
    assert not [path for path in tracked if path.startswith(written) or path.endswith(".pyc")]
    living.blueprint("run", "--local")
    status = subprocess.run(
        [*git, "status", "--porcelain"], cwd=living.path, check=True, capture_output=True, text=True
    )
    assert status.stdout == ""
    assert not (Path(living.environment["HOME"]) / ".prefect").exists()


def test_two_projects_on_one_server_and_pool_run_their_own_code(
    project: tuple[Living, str], stamp: Callable[..., Living], source: Source
) -> None:
    first, _ = project
    port = int(first.api_url.split(":")[2].split("/")[0])
    second = stamp("second", port, project_name="Second One", work_pool_name=POOL, timezone="UTC")
    contract = second.path / "src" / "data_pipeline" / "contract.py"
    text = contract.read_text("utf-8")
    contract.write_text(text.replace('TABLE = "orders"', 'TABLE = "orders_of_two"'), "utf-8")
    second.script("phase2_execute.sh")
    # The only worker is the first project's, which has another `data_pipeline` installed.
    second.blueprint("run")
    assert second.rows("orders_of_two") == SAMPLE_ROWS
    assert first.rows() == SAMPLE_ROWS
    first.blueprint("run")
    assert first.rows() == SAMPLE_ROWS


def test_down_ends_no_run_of_another_project(
    project: tuple[Living, str], stamp: Callable[..., Living]
) -> None:
    first, _ = project
    port = int(first.api_url.split(":")[2].split("/")[0])
    other = stamp("slow one", port, project_name="Slow One", work_pool_name=POOL)
    # Its runs end when the test says so; the first project's worker is the only one.
    go_on = other.path / "go-on"
    extract = other.path / "src" / "data_pipeline" / "extract.py"
    waiting = f"""
    import time
    while not Path({str(go_on)!r}).exists():
        time.sleep(0.1)
    return sources.fetch("""
    extract.write_text(extract.read_text("utf-8").replace("\n    return sources.fetch(", waiting))
    other.blueprint("deploy")
    other.blueprint("run", "--no-watch")
    wait_for(lambda: _latest(first)["state"]["type"] == "RUNNING" and _latest(first))
    printed = first.blueprint("down", "--limit", "1")
    assert f"runs of other projects in hand, {_latest(first)['name']}" in printed
    go_on.touch()
    assert wait_for(lambda: _latest(first)["state"]["type"] == "COMPLETED")
    assert other.rows() == SAMPLE_ROWS
    first.blueprint("up")


def test_a_copied_project_is_another_project(project: tuple[Living, str], scratch: Path) -> None:
    first, _ = project
    copied = scratch / "copied" / first.path.name
    shutil.copytree(first.path, copied, symlinks=True)
    copy = Living(copied, first.api_url, Path(first.environment["PREFECT_HOME"]))
    printed = copy.fails("dash", str(copied / "scripts" / "phase2_execute.sh"))
    assert "belongs to" in printed
    assert str(first.path) in printed
    assert "nothing runs that this project started" in copy.blueprint("down")
    assert "answers, started by this project" in first.blueprint("status")


def test_a_fault_in_the_manifest_or_another_pool_stops_no_worker_by_accident(
    project: tuple[Living, str],
) -> None:
    first, _ = project
    manifest = first.path / "prefect.yaml"
    before = manifest.read_text("utf-8")
    manifest.write_text(before.replace("it''s the pool", "another pool"), "utf-8")
    try:
        printed = first.fails(first.tool("blueprint"), "up")
        assert "still runs for it's the pool" in printed
        manifest.write_text("deployments: [", "utf-8")
        assert "the worker is stopped" in first.blueprint("down")
    finally:
        manifest.write_text(before, "utf-8")
    first.blueprint("up")


def test_a_server_that_another_projects_worker_uses_stays_up(
    project: tuple[Living, str], stamp: Callable[..., Living]
) -> None:
    first, _ = project
    port = int(first.api_url.split(":")[2].split("/")[0])
    other = stamp("neighbour", port, project_name="Neighbour", work_pool_name=POOL)
    start = [other.tool("prefect"), "worker", "start", "--pool", POOL, "--name", "the neighbour"]
    worker = other.start(*start)
    try:
        wait_for(lambda: "the neighbour" in first.blueprint("status"))
        printed = first.blueprint("down")
        assert "stays up, since others use it: worker the neighbour" in printed
        assert _answers(first)
    finally:
        worker.terminate()
        worker.wait(timeout=60)
    # The server takes a worker that has gone as running until its next sign of life is overdue.
    wait_for(lambda: "the server is stopped" in first.blueprint("down"), 120)
    assert not _answers(first)
    first.blueprint("up")


def test_a_namesake_of_another_project_is_not_overwritten_in_silence(
    project: tuple[Living, str], stamp: Callable[..., Living], source: Source
) -> None:
    first, _ = project
    port = int(first.api_url.split(":")[2].split("/")[0])
    namesake = stamp(
        "namesake", port, project_name=NAME, work_pool_name=POOL, source_url=source.url
    )
    printed = namesake.fails(namesake.tool("blueprint"), "deploy")
    assert str(first.path) in printed
    held = first.api("/deployments/filter", {"deployments": {"name": {"any_": ["production-etl"]}}})
    folders = [one["job_variables"]["working_dir"] for one in held]
    assert str(first.path) in folders
    assert str(namesake.path) not in folders
    assert "belongs to" in namesake.fails(namesake.tool("blueprint"), "run")
    namesake.blueprint("deploy", "--take-over")
    first.blueprint("deploy", "--take-over")


def test_the_three_terminals_work_with_prefects_own_commands(
    stamp: Callable[..., Living], source: Source
) -> None:
    living = stamp("terminals", free_port(), source_url=source.url)
    pool, deployment = "local-process-pool", "Enterprise Data Pipeline/production-etl"
    server = living.start(living.tool("prefect"), "server", "start")
    try:
        wait_for(lambda: _answers(living), 180)
        living.blueprint("deploy")
        worker = living.start(living.tool("prefect"), "worker", "start", "--pool", pool)
        try:
            parameters = ["--param", "batch_size=50", "--param", f"source_url={source.url}"]
            living.prefect("deployment", "run", deployment, *parameters, "--watch")
            run = _latest(living)
            assert run["state"]["type"] == "COMPLETED"
            assert run["parameters"]["batch_size"] == 50
            assert living.rows() == SAMPLE_ROWS
            wrong = living.fails(
                *(living.tool("blueprint"), "run", "--param", "batch_size=0"),
            )
            assert "batch_size" in wrong
            # Neither was started by this project, so neither is stopped by it.
            assert "nothing runs that this project started" in living.blueprint("down")
            assert _answers(living)
        finally:
            worker.terminate()
            worker.wait(timeout=60)
    finally:
        server.terminate()
        server.wait(timeout=60)


def test_a_port_that_something_else_has_is_named_with_its_owner(
    stamp: Callable[..., Living], source: Source
) -> None:
    port = int(source.url.split(":")[2].split("/")[0])
    living = stamp("taken", port)
    printed = living.fails(living.tool("blueprint"), "up")
    assert f"Port {port} is taken by" in printed


def test_a_run_without_a_server_says_how_to_start_one(
    stamp: Callable[..., Living],
) -> None:
    living = stamp("serverless", free_port())
    printed = living.fails("dash", str(living.path / "scripts" / "phase2_execute.sh"))
    assert "No Prefect server answers" in printed
    assert "blueprint up" in printed


def _latest(living: Living) -> dict[str, Any]:
    """The run that began last; those that the schedule has lined up have not begun."""
    begun = {"state": {"type": {"not_any_": ["SCHEDULED", "PENDING"]}}}
    asked = {"flow_runs": begun, "sort": "START_TIME_DESC", "limit": 1}
    return living.api("/flow_runs/filter", asked)[0]


def _answers(living: Living) -> bool:
    try:
        return living.api("/health") is True
    except (OSError, json.JSONDecodeError):
        return False
