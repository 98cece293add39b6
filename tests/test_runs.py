"""Runs of a deployed project: asked for, waiting for one another, and failing on purpose."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import commit_all
from histories import edited, git
from living import HARD, Living, Source, free_port, wait_for
from on_server import asked_for, begun, deployment, heartbeats, logged, state_of

pytestmark = pytest.mark.slow

HELD = 100
"""Seconds for which a run is held: longer than Prefect's 30 s for a slot, and than 3 heartbeats."""


@pytest.fixture(scope="module")
def living(stamp_living: Callable[..., Living], source: Source) -> Iterator[Living]:
    """A deployed project with a server and a worker, committed to git."""
    one = stamp_living("first", source_url=source.url, **HARD)
    commit_all(one.path, "stamped")
    with one.deployed():
        yield one


def ids(living: Living) -> list[str]:
    return [one["id"] for one in asked_for(living)]


# Asked for


def test_parameters_arrive_the_log_is_followed_and_the_exit_code_is_the_runs_state(
    living: Living,
) -> None:
    code, printed = living.ends("trigger_with_params.sh", "--param", "batch_size=50")
    assert code == 0, printed
    assert "rows into orders" in printed  # its log, as it came
    assert "Finished in state Completed" in printed
    code, printed = living.ends(
        "trigger_with_params.sh", "--param", "source_url=data/none.csv", "--json"
    )
    told = json.loads(printed)
    assert (code, told["exit_code"], told["state"]) == (2, 2, "Failed")
    assert "data/none.csv" in told["message"]
    assert living.api(f"/flow_runs/{told['id']}")["parameters"]["batch_size"] == 50000


def test_a_wrong_parameter_is_refused_with_the_flows_own_reason_before_a_run_is_made(
    living: Living,
) -> None:
    before = ids(living)
    for given, reason in (
        ("batch_size=0", "Input should be greater than or equal to 1"),
        ("batch_sise=5", "batch_sise"),
        ("source_url=ftp://x/y", "is no source"),
        ("mode=all", "'full', 'incremental'"),
    ):
        code, printed = living.ends("trigger_with_params.sh", "--param", given)
        assert code == 1
        assert reason in printed
    code, printed = living.ends("trigger_with_params.sh", "--deployment", "typo")
    assert code == 1 and "'typo'. It has: production-etl" in printed
    assert ids(living) == before


def test_a_runs_name_says_what_ran_and_its_deployment_which_version(living: Living) -> None:
    _, printed = living.ends(
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
    commit = git(living.path, "rev-parse", "--short=12", "HEAD").strip()
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
        wait_for(lambda: time.monotonic() - since > HELD and heartbeats(living, first) >= 3)
        assert state_of(living, first)["type"] == "RUNNING"
        assert state_of(living, second)["type"] == "SCHEDULED"
    finally:
        source.held.clear()
    for run in (first, second):
        assert wait_for(lambda run=run: state_of(living, run)["type"] == "COMPLETED")
    ended = living.api(f"/flow_runs/{first}")["end_time"]
    assert living.api(f"/flow_runs/{second}")["start_time"] >= ended


def test_a_run_waits_for_whoever_has_the_duckdb_file(living: Living) -> None:
    hold = "import duckdb, sys; c = duckdb.connect('data/warehouse.duckdb'); print('has it', flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [living.tool("python"), "-c", hold],
        cwd=living.path,
        env=living.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout and holder.stdout.readline() == "has it\n"
        run = begun(living)
        half_a_minute = rf"Waiting for .*PID {holder.pid}\b.* \(([3-9]\d|\d{{3,}}) of "
        wait_for(lambda: re.search(half_a_minute, logged(living, run)))
        assert state_of(living, run)["type"] == "RUNNING"
        holder.communicate()
        wait_for(lambda: state_of(living, run)["type"] == "COMPLETED")
    finally:
        holder.kill()
        holder.wait()


# Failing on purpose


def test_each_failure_ends_as_it_should_and_nothing_is_left_behind(living: Living) -> None:
    data, before = living.kept(), ids(living)
    code, printed = living.ends("test_failure.sh", "--json")
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
    assert (living.kept(), ids(living)) == (data, before)
    assert list((living.path / ".blueprint" / "scratch").iterdir()) == []


def test_a_failure_that_ends_otherwise_is_named_and_ends_in_an_error(living: Living) -> None:
    with edited(living.path / "src/data_pipeline/flow.py", "retries=3,", "retries=1,"):
        code, printed = living.ends("test_failure.sh")
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
    printed = child.communicate(timeout=180)[0]
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
    code, printed = towns.ends("test_failure.sh", "--json")
    assert code == 0, printed
    assert json.loads(printed)["as_expected"]
