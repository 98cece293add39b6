"""From one command to a green, scheduled, deployed run: real server, real worker, real source."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import commit_all
from histories import edited, git
from living import HARD, NAME, POOL, SAMPLE_ROWS, Living, Source, wait_for
from on_server import latest, logged, waiting

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(stamp_living: Callable[..., Living], source: Source) -> Iterator[tuple[Living, str]]:
    """A project with hard answers, after all its phases; and what the phases printed."""
    one = stamp_living("first", source_url=source.url, **HARD)
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
    run = latest(living)
    tasks = living.api("/task_runs/filter", {"flow_runs": {"id": {"any_": [run["id"]]}}})
    extract = next(task for task in tasks if task["name"].startswith("extract"))
    assert extract["run_count"] == 3
    wait_for(lambda: "Retry 2/3" in logged(living, run["id"]))
    assert "503" in logged(living, run["id"])


def test_a_source_that_is_not_there_fails_the_run_with_what_to_do_and_is_not_retried(
    project: tuple[Living, str],
) -> None:
    living, _ = project
    printed = living.fails(living.tool("blueprint"), "run", "--param", "source_url=data/none.csv")
    assert "Failed" in printed
    assert "data/none.csv" in printed
    run = latest(living)
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
    wait_for(lambda: len([run for run in waiting(living) if run["auto_scheduled"]]) >= 3)


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
    try:
        with edited(living.path / "prefect.yaml", "slug: production", "slug: nightly"):
            assert "removed the schedule production" in living.script("phase2_execute.sh")
            held = living.api("/deployments/filter", {})[0]
            assert [schedule["slug"] for schedule in held["schedules"]] == ["nightly"]
    finally:
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
    with edited(manifest, "batch_size: 50000", "batch_size: 0"):
        assert "batch_size" in living.fails(living.tool("blueprint"), "deploy")
    with edited(manifest, "    schedules:", "    shedules:"):
        assert "'shedules' is not a key" in living.fails(living.tool("blueprint"), "deploy")
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
    commit_all(living.path, "stamped")
    tracked = git(living.path, "ls-files").splitlines()
    written = (".venv/", ".blueprint/", ".prefect/", "quarantine/", "data/warehouse")
    assert not [path for path in tracked if path.startswith(written) or path.endswith(".pyc")]
    living.blueprint("run", "--local")
    assert git(living.path, "status", "--porcelain") == ""
    assert not (Path(living.environment["HOME"]) / ".prefect").exists()


def test_the_three_terminals_work_with_prefects_own_commands(
    stamp_living: Callable[..., Living], source: Source
) -> None:
    living = stamp_living("terminals", source_url=source.url)
    pool, deployment = "local-process-pool", "Enterprise Data Pipeline/production-etl"
    server = living.start(living.tool("prefect"), "server", "start")
    try:
        wait_for(lambda: living.answers(), 180)
        living.blueprint("deploy")
        worker = living.start(living.tool("prefect"), "worker", "start", "--pool", pool)
        try:
            parameters = ["--param", "batch_size=50", "--param", f"source_url={source.url}"]
            living.prefect("deployment", "run", deployment, *parameters, "--watch")
            run = latest(living)
            assert run["state"]["type"] == "COMPLETED"
            assert run["parameters"]["batch_size"] == 50
            assert living.rows() == SAMPLE_ROWS
            wrong = living.fails(
                *(living.tool("blueprint"), "run", "--param", "batch_size=0"),
            )
            assert "batch_size" in wrong
            # Neither was started by this project, so neither is stopped by it.
            assert "nothing runs that this project started" in living.blueprint("down")
            assert living.answers()
        finally:
            worker.terminate()
            worker.wait(timeout=60)
    finally:
        server.terminate()
        server.wait(timeout=60)


def test_a_port_that_something_else_has_is_named_with_its_owner(
    stamp_living: Callable[..., Living], source: Source
) -> None:
    port = source.server.server_port
    living = stamp_living("taken", prefect_api_url=f"http://127.0.0.1:{port}/api")
    printed = living.fails(living.tool("blueprint"), "up")
    assert f"Port {port} is taken by" in printed


def test_a_run_without_a_server_says_how_to_start_one(
    stamp_living: Callable[..., Living],
) -> None:
    living = stamp_living("serverless")
    printed = living.fails("dash", str(living.path / "scripts" / "phase2_execute.sh"))
    assert "No Prefect server answers" in printed
    assert "blueprint up" in printed
