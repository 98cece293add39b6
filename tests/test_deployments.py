"""What a project has on the server: automations look after it, redeploying puts it right, cleanup
takes it away."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest
from conftest import commit_all
from histories import edited, replace
from living import HARD, NAME, POOL, Living, Source, wait_for
from on_server import begun, deployment, heartbeats, planned, state_of, waiting

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def living(stamp_living: Callable[..., Living], source: Source) -> Iterator[Living]:
    """A deployed project with a server and a worker, committed to git, its alerts sent to us."""
    one = stamp_living("first", source_url=source.url, **HARD)
    (one.path / ".env").write_text(f"ALERTS={source.url}\n", "utf-8")
    replace(one.path / "pyproject.toml", 'notify = ""', 'notify = "env:ALERTS"')
    commit_all(one.path, "stamped")
    with one.deployed():
        yield one


# Looked after by automations


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
            wait_for(lambda: heartbeats(living, killed))
            living.script("redeploy.sh")
            _kill_the_worker_and_its_run(living)
            own = _in_each_state(living, deployment(living)["id"])
            others = _in_each_state(living, foreign)
            wait_for(lambda: state_of(living, own["Pending"])["type"] == "CRASHED")
            wait_for(lambda: state_of(living, own["Late"])["type"] == "CANCELLED")
            wait_for(lambda: state_of(living, killed)["type"] == "CRASHED")
            wait_for(lambda: state_of(living, own["Running"])["type"] == "CRASHED")
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
    assert living.ends("trigger_with_params.sh")[0] == 0


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


# Deployed anew


def test_a_dry_run_tells_what_would_change_and_redeploying_puts_it_right(living: Living) -> None:
    assert living.ends("redeploy.sh", "--dry-run")[0] == 0
    held = deployment(living)
    # What `prefect deploy --job-variable` does: all others are gone.
    bent = {
        "env": held["job_variables"]["env"],
        "working_dir": held["job_variables"]["working_dir"],
    }
    living.ask(f"/deployments/{held['id']}", {"job_variables": bent, "tags": ["other"]}, "PATCH")
    code, printed = living.ends("redeploy.sh", "--dry-run", "--json")
    told = json.loads(printed)
    assert (code, told["deployed"]) == (2, False)
    assert any(
        "job_variables.command is only in the manifest" in one for one in told["differences"]
    )
    assert any("tags is ['other']" in one for one in told["differences"])
    assert deployment(living)["tags"] == ["other"]
    assert "job_variables.command is" in living.script("redeploy.sh")
    assert deployment(living)["job_variables"] == held["job_variables"]
    assert living.ends("redeploy.sh", "--dry-run")[0] == 0


def test_a_changed_bound_of_a_parameter_is_a_difference(living: Living) -> None:
    with edited(living.path / "src/data_pipeline/config.py", "le=1_000_000", "le=900_000"):
        code, printed = living.ends("redeploy.sh", "--dry-run")
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
        code, printed = living.ends("redeploy.sh", "--dry-run")
        assert (
            code == 2 and "production-etl: on the server and no longer in the manifest" in printed
        )
        printed = living.script("redeploy.sh")
        assert "removed the deployment" in printed
        names = [one["name"] for one in living.api("/deployments/filter", {})]
        assert "nightly-etl" in names and "production-etl" not in names
        assert waiting(living, old) == []
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
    planned(living, held["id"], parameters={"batch_size": 77}, name="by hand")
    with edited(manifest, "name: 'it''s the pool'", "name: another pool"):
        printed = living.script("redeploy.sh")
        assert "the run by hand waits in 'another pool' now" in printed
        runs = waiting(living, held["id"])
        assert {one["work_pool_name"] for one in runs} == {"another pool"}
        (moved,) = [one for one in runs if one["name"] == "by hand"]
        assert moved["parameters"]["batch_size"] == 77
        assert moved["expected_start_time"].startswith("2099")
        living.ask(f"/flow_runs/{moved['id']}", method="DELETE")
    living.script("redeploy.sh")


# Cleaned up; last, since it takes the deployment away


def test_cleanup_asks_and_does_nothing_where_nobody_can_answer(living: Living) -> None:
    code, printed = living.ends("cleanup.sh")
    assert code == 1
    assert "--yes" in printed and "Nothing was removed" in printed
    assert deployment(living)
    code, printed = living.ends("cleanup.sh", "--dry-run", "--json")
    assert code == 0
    assert any("production-etl" in one for one in json.loads(printed)["removed"])
    assert deployment(living) and len(automations(living)) == 4


def test_cleanup_removes_what_is_ours_and_touches_no_namesake(
    living: Living, scratch: Path
) -> None:
    copy = living.copied_to(scratch / "copied" / living.path.name)
    copy.script("redeploy.sh", "--take-over")
    foreign = _foreign_deployment(living)
    data = living.kept()
    code, printed = living.ends("cleanup.sh", "--yes")
    assert code == 0, printed
    assert "others use: the deployment" in printed
    assert [pool["name"] for pool in living.api("/work_pools/filter", {})] == [POOL]
    assert automations(living) == []
    assert deployment(copy)["name"] == "production-etl"
    assert len(automations(copy)) == 4
    assert living.api(f"/deployments/{foreign}")
    assert living.kept() == data
    living.ask(f"/deployments/{foreign}", method="DELETE")
    printed = copy.script("cleanup.sh", "--yes")
    assert "which this project did not make" in printed
    assert automations(copy) == []
    assert living.api("/deployments/filter", {}) == []
    printed = living.script("cleanup.sh", "--yes")
    assert f'removed the work pool "{POOL}"' in printed
    assert living.api("/work_pools/filter", {}) == []
    assert living.kept() == data
    assert "has nothing on the server" in living.script("cleanup.sh", "--yes")
    assert living.api("/block_documents/filter", {"include_secrets": False}) == []


def automations(living: Living) -> list[dict[str, Any]]:
    """Those that carry the project's mark."""
    mark = (living.path / ".blueprint" / "id").read_text("utf-8").splitlines()[0]
    return [
        one for one in living.api("/automations/filter", {}) if f"blueprint:{mark}" in one["tags"]
    ]


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
        run = planned(living, deployment)
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
