"""What is found of a project before anything runs: each fault is provoked, named with what mends it,
and gone once that was done."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from faults import fault, states, status
from histories import edited
from living import HARD, Living, wait_for

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def living(stamp_living: Callable[..., Living]) -> Living:
    """A stamped project with its environment, and nothing else: no server, nothing deployed."""
    return stamp_living("first", project_slug="ledger", **HARD)


def test_connection_refused_is_named_where_the_server_is_not_running(living: Living) -> None:
    assert fault(living, "Connection refused: the server is not running") == (
        ".venv/bin/blueprint up"
    )
    told = status(living)
    assert states(told) == ["pending"] * 3
    assert told["next"] == "scripts/phase1_execute.sh"
    assert told["disk"]["free"] > 0


def test_both_validations_pass_as_stamped_and_say_how_a_server_is_started(living: Living) -> None:
    code, printed = living.ends("validate_setup.sh", "--json")
    assert (code, json.loads(printed)["wrong"]) == (0, [])
    code, printed = living.ends("validate_install.sh")
    assert code == 0
    assert "no server runs at" in printed and ".venv/bin/blueprint up" in printed
    code, printed = living.ends("validate_install.sh", "--server", "--json")
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
            code, printed = living.ends("validate_setup.sh", "--json")
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
    assert json.loads(living.ends("validate_setup.sh", "--json")[1])["ok"]


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
        code, printed = living.ends("validate_setup.sh", "--json")
    told = json.loads(printed)["wrong"]
    assert code == 1
    assert any(one["check"] == check and said in one["what"] for one in told), told


def test_a_settings_value_that_prefect_refuses_is_told_and_not_thrown(living: Living) -> None:
    with edited(living.path / "prefect.toml", "query_seconds = 3", "query_seconds = 'soon'"):
        code, printed = living.ends("validate_setup.sh")
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
        code, printed = living.ends("validate_setup.sh")
        assert code == 1 and f"port {port} is taken by python (process {other.pid})" in printed
    finally:
        other.terminate()
        other.wait(timeout=60)


def test_packages_that_are_not_as_locked_are_all_told_and_mended(living: Living) -> None:
    uv = str(Path(sys.executable).with_name("uv"))
    path = {"PATH": f"{Path(uv).parent}:{living.environment['PATH']}"}
    subprocess.run(
        [uv, "pip", "uninstall", "-q", "--python", living.tool("python"), "prefect", "pytz"],
        check=True,
    )
    code, printed = living.ends("validate_install.sh")
    assert code == 1
    assert "prefect 3." in printed and "pytz 20" in printed
    command = fault(living, "prefect 3.8.8 is not installed; pytz")
    assert command == "python3 bootstrap.py --force"
    subprocess.run(
        ["sh", "-c", command], cwd=living.path, env=living.environment | path, check=True
    )
    assert living.ends("validate_install.sh")[0] == 0


def test_a_local_run_lands_rows_in_a_scratch_target_and_nowhere_else(living: Living) -> None:
    code, printed = living.ends("test_local_run.sh", "--json", "--param", "batch_size=700")
    told = json.loads(printed)
    assert (code, told["ok"], told["summary"]["rows_loaded"]) == (0, True, 3000)
    assert not (living.path / "data" / "warehouse.duckdb").exists()
    assert not (living.path / "quarantine").exists()
    assert list((living.path / ".blueprint" / "scratch").iterdir()) == []
    code, printed = living.ends("test_local_run.sh", "--param", "source_url=data/none.csv")
    assert code == 1
    code, printed = living.ends(
        "test_local_run.sh", "--json", "--param", "source_url=data/none.csv"
    )
    assert code == 1 and "data/none.csv" in json.loads(printed)["error"]
    assert list((living.path / ".blueprint" / "scratch").iterdir()) == []


def test_a_local_run_without_records_fails_and_a_kept_target_can_be_looked_into(
    living: Living,
) -> None:
    empty = living.path.parent / "empty.ndjson"
    empty.touch()
    code, printed = living.ends("test_local_run.sh", "--json", "--param", f"source_url={empty}")
    assert code == 1 and "brought 0 records" in json.loads(printed)["error"]
    code, printed = living.ends("test_local_run.sh", "--keep")
    assert code == 0
    kept = next(line.split("kept: ")[1] for line in printed.splitlines() if "kept: " in line)
    assert living.rows(target=f"{kept}/warehouse.duckdb") == 3000
    shutil.rmtree(living.path / kept)
