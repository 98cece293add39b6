"""Operating a project: runs on demand, redeploying, what looks after the runs, and cleaning up."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest
from living import Living, Source, free_port, nothing_left_running, wait_for

pytestmark = pytest.mark.slow

NAME = """Müller's "Q3" Ledger"""
POOL = "it's the runs pool"
SAMPLE_ROWS = 3000
HELD = 100
"""Seconds for which a run is held: longer than Prefect's 30 s for a slot, and than 3 heartbeats."""


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("operating it")
    with nothing_left_running(path):
        yield path


@pytest.fixture(scope="module")
def source(template: Path) -> Iterator[Source]:
    served = Source(next(template.glob("*/data/sample_orders.ndjson")).read_bytes())
    yield served
    served.held.clear()
    served.close()


@pytest.fixture(scope="module")
def living(stamp_into: Callable[..., Path], scratch: Path, source: Source) -> Iterator[Living]:
    """A deployed project with a server and a worker, committed to git, its alerts sent to us."""
    port = free_port()
    path = stamp_into(
        scratch / "first",
        project_name=NAME,
        work_pool_name=POOL,
        schedule="15 6 * * MON-FRI",
        timezone="Europe/Berlin",
        source_url=source.url,
        prefect_api_url=f"http://127.0.0.1:{port}/api",
        create_venv=True,
    )
    contract = path / "src" / "data_pipeline" / "contract.py"
    edit(contract, '"""One order."""', '"""One order of ours."""')
    (path / ".env").write_text(f"ALERTS={source.url}\n", "utf-8")
    edit(path / "pyproject.toml", 'notify = ""', 'notify = "env:ALERTS"')
    one = Living(path, f"http://127.0.0.1:{port}/api", scratch / "home")
    git(path, "init", "-q")
    git(path, "add", ".")
    git(path, "commit", "-qm", "stamped")
    one.blueprint("up")
    try:
        one.script("redeploy.sh")
        yield one
    finally:
        source.held.clear()
        one.blueprint("down")


def edit(path: Path, old: str, new: str) -> str:
    """Replace text that stands there once; gives what the file held before."""
    text = path.read_text("utf-8")
    assert text.count(old) == 1, (path, old)
    path.write_text(text.replace(old, new), "utf-8")
    return text


@contextmanager
def edited(path: Path, old: str, new: str) -> Iterator[None]:
    before = edit(path, old, new)
    try:
        yield
    finally:
        path.write_text(before, "utf-8")


def git(path: Path, *arguments: str) -> str:
    who = ["-c", "init.defaultBranch=main", "-c", "user.name=t", "-c", "user.email=t@t"]
    done = subprocess.run(
        ["git", *who, *arguments], cwd=path, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def ends(living: Living, *arguments: str) -> tuple[int, str]:
    """The exit code of a script, and what it printed to stdout; no traceback."""
    done = subprocess.run(
        ["dash", str(living.path / "scripts" / arguments[0]), *arguments[1:]],
        cwd="/",
        env=living.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + ("" if "--json" in arguments else done.stderr)


def deployment(living: Living, name: str = "production-etl") -> dict[str, Any]:
    held = living.api("/deployments/filter", {"deployments": {"name": {"any_": [name]}}})
    mine = [one for one in held if str(living.path) in str(one["job_variables"])]
    return mine[0]


def runs_of(living: Living) -> list[dict[str, Any]]:
    return living.api("/flow_runs/filter", {"flow_runs": {"deployment_id": {"is_null_": False}}})


def asked_for(living: Living) -> list[str]:
    """The runs that no schedule lined up: the server adds those of its own accord."""
    return [one["id"] for one in runs_of(living) if not one["auto_scheduled"]]


def state_of(living: Living, run: str) -> dict[str, Any]:
    return living.api(f"/flow_runs/{run}")["state"]


def kept(living: Living) -> list[tuple[str, int, int]]:
    """The project's code and data: each file with its size and when it was written."""
    files = [one for folder in ("src", "data") for one in (living.path / folder).rglob("*")]
    plain = [one for one in files if one.is_file() and one.suffix != ".pyc"]
    return sorted((str(one), one.stat().st_size, one.stat().st_mtime_ns) for one in plain)


def begun(living: Living, *more: str) -> str:
    """Trigger a run that nobody watches; gives its id."""
    _, printed = ends(living, "trigger_with_params.sh", "--no-watch", "--json", *more)
    # An edited pyproject.toml has the environment looked after first, which is told.
    return json.loads(printed[printed.index("{") :])["id"]


# Triggered runs


def test_parameters_arrive_the_log_is_followed_and_the_exit_code_is_the_runs_state(
    living: Living,
) -> None:
    code, printed = ends(living, "trigger_with_params.sh", "--param", "batch_size=50")
    assert code == 0, printed
    assert "rows in orders" in printed  # its log, as it came
    assert "Finished in state Completed" in printed
    code, printed = ends(
        living, "trigger_with_params.sh", "--param", "source_url=data/none.csv", "--json"
    )
    told = json.loads(printed)
    assert (code, told["exit_code"], told["state"]) == (2, 2, "Failed")
    assert "data/none.csv" in told["message"]
    assert living.api(f"/flow_runs/{told['id']}")["parameters"]["batch_size"] == 50000


def test_a_wrong_parameter_is_refused_with_the_flows_own_reason_before_a_run_is_made(
    living: Living,
) -> None:
    before = asked_for(living)
    for given, reason in (
        ("batch_size=0", "Input should be greater than or equal to 1"),
        ("batch_sise=5", "batch_sise"),
        ("source_url=ftp://x/y", "is no source"),
        ("mode=all", "'full', 'incremental'"),
    ):
        code, printed = ends(living, "trigger_with_params.sh", "--param", given)
        assert code == 1
        assert reason in printed
    code, printed = ends(living, "trigger_with_params.sh", "--deployment", "typo")
    assert code == 1 and "'typo'. It has: production-etl" in printed
    assert asked_for(living) == before


def test_a_runs_name_says_what_ran_and_its_deployment_which_version(living: Living) -> None:
    _, printed = ends(
        living,
        "trigger_with_params.sh",
        *("--json", "--param", "mode=backfill"),
        *("--param", "since=2024-05-01T00:00:00Z", "--param", "until=2024-06-01T00:00:00Z"),
    )
    told = json.loads(printed)
    assert told["state"] == "Completed"
    assert re.fullmatch(
        r"[a-z]+-[a-z]+: backfill from 2024-05-01.* until 2024-06-01.*, orders\.ndjson",
        told["name"],
    )
    held = deployment(living)
    commit = git(living.path, "rev-parse", "--short=12", "HEAD")
    assert held["version"] == f"0.1.0+g{commit}"
    assert set(held["tags"]) == {"prefect-blueprint", living.path.name}
    assert held["description"]
    assert held["global_concurrency_limit"]["limit"] == 1
    assert held["concurrency_options"]["collision_strategy"] == "ENQUEUE"


def test_a_run_waits_for_the_one_before_it_as_long_as_it_takes_and_no_healthy_one_is_ended(
    living: Living, source: Source
) -> None:
    source.held.set()
    try:
        first = begun(living)
        wait_for(lambda: state_of(living, first)["type"] == "RUNNING")
        second = begun(living)
        wait_for(lambda: state_of(living, second)["name"] == "AwaitingConcurrencySlot")
        since = time.monotonic()
        wait_for(lambda: time.monotonic() - since > HELD, HELD + 10)
        assert state_of(living, first)["type"] == "RUNNING"
        assert state_of(living, second)["type"] == "SCHEDULED"
    finally:
        source.held.clear()
    for run in (first, second):
        assert wait_for(lambda run=run: state_of(living, run)["type"] == "COMPLETED", 120)
    ended = living.api(f"/flow_runs/{first}")["end_time"]
    assert living.api(f"/flow_runs/{second}")["start_time"] >= ended
    seen = living.api(
        "/events/filter",
        {
            "filter": {
                "event": {"name": ["prefect.flow-run.heartbeat"]},
                "resource": {"id": [f"prefect.flow-run.{first}"]},
            }
        },
    )
    assert seen["total"] >= 3


def test_a_run_waits_for_whoever_has_the_duckdb_file(living: Living) -> None:
    hold = "import duckdb, time; c = duckdb.connect('data/warehouse.duckdb'); print('has it', flush=True); time.sleep(40)"
    holder = subprocess.Popen(
        [living.tool("python"), "-c", hold],
        cwd=living.path,
        env=living.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout and holder.stdout.readline() == "has it\n"
        began = time.monotonic()
        code, printed = ends(living, "trigger_with_params.sh")
        assert code == 0, printed
        assert "Waiting for" in printed and f"PID {holder.pid}" in printed
        assert time.monotonic() - began > 30
    finally:
        holder.kill()
        holder.wait()


# What looks after the runs


def test_automations_mark_this_projects_runs_and_no_others(living: Living, source: Source) -> None:
    pyproject = living.path / "pyproject.toml"
    foreign = _foreign_deployment(living)
    source.posted.clear()
    source.held.set()
    with (
        edited(pyproject, "pending_seconds = 300", "pending_seconds = 10"),
        edited(pyproject, "late_seconds = 43200", "late_seconds = 10"),
    ):
        try:
            # Begun before, since a busy machine needs more than the 10 s to begin it.
            killed = begun(living)
            wait_for(lambda: state_of(living, killed)["type"] == "RUNNING")
            wait_for(lambda: _heartbeats(living, killed))
            living.script("redeploy.sh")
            _kill_the_worker_and_its_run(living)
            own = _in_each_state(living, deployment(living)["id"])
            others = _in_each_state(living, foreign)
            wait_for(lambda: state_of(living, own["Pending"])["type"] == "CRASHED", 60)
            wait_for(lambda: state_of(living, own["Late"])["type"] == "CANCELLED", 60)
            wait_for(lambda: state_of(living, killed)["type"] == "CRASHED", 150)
            wait_for(lambda: state_of(living, own["Running"])["type"] == "CRASHED", 60)
        finally:
            source.held.clear()
        assert "No sign of life for 90 s" in state_of(living, killed)["message"]
        assert {state_of(living, run)["name"] for run in others.values()} == set(others)
        told = wait_for(lambda: len(source.posted) >= 4 and source.posted)
        assert all("production-etl" in json.loads(text)["text"] for text in told)
        assert not any("foreign" in text for text in told)
        for run in others.values():
            living.api(
                f"/flow_runs/{run}/set_state", {"state": {"type": "CANCELLED"}, "force": True}
            )
    living.ask(f"/deployments/{foreign}", method="DELETE")
    living.script("redeploy.sh")
    living.blueprint("up")
    # The slot that the dead run held is free.
    assert ends(living, "trigger_with_params.sh")[0] == 0


def test_automations_are_made_once_and_one_that_was_switched_off_stays_off(
    living: Living,
) -> None:
    before = {one["name"]: one for one in automations(living)}
    assert len(before) == 4
    assert all(name.startswith(f"{living.path.name} (") for name in before)
    here = f"prefect.deployment.{deployment(living)['id']}"
    for one in before.values():
        assert one["trigger"]["match_related"]["prefect.resource.id"] in (here, [here])
    off = next(iter(before.values()))
    living.prefect("automation", "pause", "--id", off["id"])
    printed = living.script("redeploy.sh")
    assert f"switched off in the UI, and left so: {off['name']}" in printed
    after = {one["name"]: one for one in automations(living)}
    assert {name: one["trigger"]["id"] for name, one in after.items()} == {
        name: one["trigger"]["id"] for name, one in before.items()
    }
    assert not after[off["name"]]["enabled"]
    living.prefect("automation", "resume", "--id", off["id"])


def automations(living: Living) -> list[dict[str, Any]]:
    """Those that carry the project's mark."""
    mark = (living.path / ".blueprint" / "id").read_text("utf-8").splitlines()[0]
    return [
        one for one in living.api("/automations/filter", {}) if f"blueprint:{mark}" in one["tags"]
    ]


def _heartbeats(living: Living, run: str) -> int:
    names = {"event": {"name": ["prefect.flow-run.heartbeat"]}}
    of_run = {"resource": {"id": [f"prefect.flow-run.{run}"]}}
    return living.api("/events/filter", {"filter": names | of_run})["total"]


def _foreign_deployment(living: Living) -> str:
    """Another team's, with the same pool; its runs are only states on the server."""
    flow = living.api("/flows/", {"name": f"foreign {uuid4()}"})["id"]
    asked = {"name": "foreign", "flow_id": flow, "work_pool_name": POOL}
    return living.api("/deployments/", asked)["id"]


def _in_each_state(living: Living, deployment: str) -> dict[str, str]:
    """A run of the deployment in each state that an automation looks at: their ids by name."""
    later = "2099-01-01T00:00:00Z"  # or the worker would take it
    asked = {"SCHEDULED": "Late", "PENDING": "Pending", "RUNNING": "Running"}
    made = {}
    for kind, name in asked.items():
        state = {"type": "SCHEDULED", "state_details": {"scheduled_time": later}}
        path = f"/deployments/{deployment}/create_flow_run"
        run = living.api(path, {"state": state})["id"]
        state = {"type": kind, "name": name, "state_details": {"scheduled_time": later}}
        living.api(f"/flow_runs/{run}/set_state", {"state": state, "force": True})
        made[name] = run
    sign = {
        "event": "prefect.flow-run.heartbeat",
        "occurred": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "id": str(uuid4()),
        "resource": {"prefect.resource.id": f"prefect.flow-run.{made['Running']}"},
        "related": [
            {
                "prefect.resource.id": f"prefect.deployment.{deployment}",
                "prefect.resource.role": "deployment",
            }
        ],
    }
    living.ask("/events", [sign])
    return made


def _kill_the_worker_and_its_run(living: Living) -> None:
    record = json.loads((living.path / ".blueprint" / "worker.json").read_text("utf-8"))
    worker = psutil.Process(record["pid"])
    family = [worker, *worker.children(recursive=True)]
    assert len(family) > 1
    for one in family:
        one.kill()
    psutil.wait_procs(family, timeout=10)


# Deploying anew


def test_a_dry_run_tells_what_would_change_and_redeploying_puts_it_right(living: Living) -> None:
    assert ends(living, "redeploy.sh", "--dry-run")[0] == 0
    held = deployment(living)
    # What `prefect deploy --job-variable` does: all others are gone.
    bent = {
        "env": held["job_variables"]["env"],
        "working_dir": held["job_variables"]["working_dir"],
    }
    living.ask(f"/deployments/{held['id']}", {"job_variables": bent, "tags": ["other"]}, "PATCH")
    code, printed = ends(living, "redeploy.sh", "--dry-run", "--json")
    told = json.loads(printed)
    assert (code, told["deployed"]) == (2, False)
    assert any(
        "job_variables.command is only in the manifest" in one for one in told["differences"]
    )
    assert any("tags is ['other']" in one for one in told["differences"])
    assert deployment(living)["tags"] == ["other"]
    assert "job_variables.command is" in living.script("redeploy.sh")
    assert deployment(living)["job_variables"] == held["job_variables"]
    assert ends(living, "redeploy.sh", "--dry-run")[0] == 0


def test_a_changed_bound_of_a_parameter_is_a_difference(living: Living) -> None:
    with edited(living.path / "src/data_pipeline/config.py", "le=1_000_000", "le=900_000"):
        code, printed = ends(living, "redeploy.sh", "--dry-run")
        assert code == 2
        assert "the flow's parameters on the server are not those" in printed


def test_no_option_deploys_what_the_manifest_does_not_say(living: Living) -> None:
    before = len(living.api("/deployments/filter", {}))
    for option in ("--name", "--job-variable"):
        living.fails(living.tool("blueprint"), "deploy", option, "typo")
        living.fails("dash", str(living.path / "scripts" / "redeploy.sh"), option, "typo")
    assert len(living.api("/deployments/filter", {})) == before


def test_a_renamed_deployment_leaves_no_old_one_that_runs(living: Living) -> None:
    manifest = living.path / "prefect.yaml"
    old = deployment(living)["id"]
    with edited(manifest, "- name: production-etl", "- name: nightly-etl"):
        code, printed = ends(living, "redeploy.sh", "--dry-run")
        assert (
            code == 2 and "production-etl: on the server and no longer in the manifest" in printed
        )
        printed = living.script("redeploy.sh")
        assert "removed the deployment" in printed
        names = [one["name"] for one in living.api("/deployments/filter", {})]
        assert "nightly-etl" in names and "production-etl" not in names
        lined_up = {
            "flow_runs": {
                "deployment_id": {"any_": [old]},
                "state": {"type": {"any_": ["SCHEDULED"]}},
            }
        }
        assert living.api("/flow_runs/filter", lined_up) == []
    living.script("redeploy.sh")


def test_what_an_operator_paused_stays_paused_also_under_another_name(living: Living) -> None:
    manifest = living.path / "prefect.yaml"
    held = deployment(living)
    schedule = held["schedules"][0]["id"]
    full = f"{NAME}/production-etl"
    living.prefect("deployment", "schedule", "pause", full, schedule)
    with edited(manifest, "slug: production", "slug: morning"):
        assert "morning is paused, as the one was" in living.script("redeploy.sh")
        (now,) = deployment(living)["schedules"]
        assert (now["slug"], now["active"]) == ("morning", False)
        living.prefect("deployment", "schedule", "resume", full, now["id"])
    living.script("redeploy.sh")
    (now,) = deployment(living)["schedules"]
    assert (now["slug"], now["active"]) == ("production", True)
    living.ask(f"/deployments/{held['id']}/pause_deployment", {})
    living.script("redeploy.sh")
    assert deployment(living)["paused"]
    living.ask(f"/deployments/{held['id']}/resume_deployment", {})


def test_a_moved_work_pool_leaves_no_run_in_the_old_one(living: Living) -> None:
    manifest = living.path / "prefect.yaml"
    held = deployment(living)
    later = {"type": "SCHEDULED", "state_details": {"scheduled_time": "2099-01-01T00:00:00Z"}}
    asked = {"state": later, "parameters": {"batch_size": 77}, "name": "by hand"}
    living.api(f"/deployments/{held['id']}/create_flow_run", asked)
    with edited(manifest, "name: 'it''s the runs pool'", "name: another pool"):
        printed = living.script("redeploy.sh")
        assert "the run by hand waits in 'another pool' now" in printed
        runs = [one for one in runs_of(living) if one["state_type"] == "SCHEDULED"]
        assert {one["work_pool_name"] for one in runs} == {"another pool"}
        (moved,) = [one for one in runs if one["name"] == "by hand"]
        assert moved["parameters"]["batch_size"] == 77
        assert moved["expected_start_time"].startswith("2099")
        living.ask(f"/flow_runs/{moved['id']}", method="DELETE")
    living.script("redeploy.sh")


# Failing on purpose


def test_each_failure_ends_as_it_should_and_nothing_is_left_behind(living: Living) -> None:
    data, before = kept(living), asked_for(living)
    code, printed = ends(living, "test_failure.sh", "--json")
    told = json.loads(printed)
    assert code == 0 and told["as_expected"]
    ended = {one["scenario"]: (one["ended"], one["retries"]) for one in told["scenarios"]}
    assert ended == {
        "a source that fails twice, then answers": ("Completed", 2),
        "a source that never answers": ("Failed", 3),
        "a source that is not there (404)": ("Failed", 0),
        "a wrong parameter": ("refused", 0),
        "a bad contract": ("Failed", 0),
    }
    assert any("Retry 2/3 will start 2 second(s)" in line for line in told["scenarios"][0]["log"])
    assert "quarantine kept: 100 records" in told["scenarios"][4]["log"]
    assert (kept(living), asked_for(living)) == (data, before)
    assert list((living.path / ".blueprint" / "scratch").iterdir()) == []


def test_a_failure_that_ends_otherwise_is_named_and_ends_in_an_error(living: Living) -> None:
    with edited(living.path / "src/data_pipeline/flow.py", "retries=3,", "retries=1,"):
        code, printed = ends(living, "test_failure.sh")
    assert code == 1
    assert "OTHERWISE THAN EXPECTED: it ended Failed" in printed
    assert list((living.path / ".blueprint" / "scratch").iterdir()) == []


def test_ctrl_c_ends_the_test_of_failures_and_leaves_nothing(living: Living) -> None:
    child = subprocess.Popen(
        ["dash", str(living.path / "scripts" / "test_failure.sh")],
        env=living.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert child.stdout
    scratch = living.path / ".blueprint" / "scratch"
    wait_for(lambda: list(scratch.glob("failures-*/home/prefect.db")))  # its server begins
    os.killpg(child.pid, signal.SIGINT)
    printed = child.communicate(timeout=60)[0]
    assert child.returncode == 130
    assert "blueprint: stopped" in printed and "Traceback" not in printed
    assert list(scratch.iterdir()) == []


def test_failures_are_tested_with_an_inferred_contract_too(
    stamp_into: Callable[..., Path], scratch: Path
) -> None:
    data = scratch / "towns.csv"
    lines = (
        f"{number};Ort {number};{number / 7:.2f};2026-01-{number % 28 + 1:02d}"
        for number in range(1, 400)
    )
    data.write_text("town_id;name;area;founded\n" + "\n".join(lines) + "\n", "utf-8")
    path = stamp_into(
        scratch / "towns", project_name="Towns", source_url=str(data), create_venv=True,
        prefect_api_url=f"http://127.0.0.1:{free_port()}/api",
    )  # fmt: skip
    towns = Living(path, "", scratch / "home towns")
    towns.blueprint("infer-contract")
    code, printed = ends(towns, "test_failure.sh", "--json")
    assert code == 0, printed
    assert json.loads(printed)["as_expected"]


# Cleaning up; last, since it takes the deployment away


def test_cleanup_asks_and_does_nothing_where_nobody_can_answer(living: Living) -> None:
    code, printed = ends(living, "cleanup.sh")
    assert code == 1
    assert "--yes" in printed and "Nothing was removed" in printed
    assert deployment(living)
    code, printed = ends(living, "cleanup.sh", "--dry-run", "--json")
    assert code == 0
    assert any("production-etl" in one for one in json.loads(printed)["removed"])
    assert deployment(living) and len(automations(living)) == 4


def test_cleanup_removes_what_is_ours_and_touches_no_namesake(
    living: Living, scratch: Path
) -> None:
    copied = scratch / "copied" / living.path.name
    shutil.copytree(living.path, copied, symlinks=True)
    copy = Living(copied, living.api_url, Path(living.environment["PREFECT_HOME"]))
    copy.script("redeploy.sh", "--take-over")
    foreign = _foreign_deployment(living)
    data = kept(living)
    code, printed = ends(living, "cleanup.sh", "--yes")
    assert code == 0, printed
    assert "others use: the deployment" in printed
    assert [pool["name"] for pool in living.api("/work_pools/filter", {})] == [POOL]
    assert automations(living) == []
    assert deployment(copy)["name"] == "production-etl"
    assert len(automations(copy)) == 4
    assert living.api(f"/deployments/{foreign}")
    assert kept(living) == data
    living.ask(f"/deployments/{foreign}", method="DELETE")
    printed = copy.script("cleanup.sh", "--yes")
    assert "which this project did not make" in printed
    assert automations(copy) == []
    assert living.api("/deployments/filter", {}) == []
    printed = living.script("cleanup.sh", "--yes")
    assert f'removed the work pool "{POOL}"' in printed
    assert living.api("/work_pools/filter", {}) == []
    assert kept(living) == data
    assert "has nothing on the server" in living.script("cleanup.sh", "--yes")
    assert living.api("/block_documents/filter", {"include_secrets": False}) == []
