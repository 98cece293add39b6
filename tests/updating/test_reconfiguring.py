"""A project moves to other answers at the same version, and its server with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import commit_all
from histories import Template, comes_from, replace
from living import Living, wait_for
from on_server import deployment, planned, waiting

from .projects import ANSWERS, Project

pytestmark = pytest.mark.slow


def test_a_schedule_that_was_edited_by_hand_is_a_conflict_that_says_how_it_is_solved(
    project: Project,
) -> None:
    replace(project.path / "prefect.yaml", "'0 9 * * *'", "'0 7 * * *'")
    commit_all(project.path, "Earlier")
    before = project.state()
    assert "prefect.yaml says '0 7 * * *'" in project.blueprint("reconfigure")
    printed = project.blueprint("reconfigure", "schedule=0 6 * * *", code=3)
    assert "prefect.yaml says schedule '0 7 * * *', written there by hand" in printed
    assert "blueprint reconfigure schedule='0 7 * * *'" in printed
    assert project.state() == before
    project.blueprint("reconfigure", "schedule=0 7 * * *")
    commit_all(project.path, "Take it over")
    project.blueprint("reconfigure", "schedule=0 6 * * *")
    assert "'0 6 * * *'" in project.read("prefect.yaml")


def test_answers_that_the_rules_refuse_are_told_all_at_once(project: Project) -> None:
    before = project.state()
    printed = project.blueprint(
        *("reconfigure", "schedule=99 * * * *", "timezone=Mars/Base", "prefect_api_url=x"), code=1
    )
    for key, value in (
        ("schedule", "99 * * * *"),
        ("timezone", "Mars/Base"),
        ("prefect_api_url", "x"),
    ):
        assert f"{key} is {value!r}: " in printed
    assert "for example" in printed
    assert project.state() == before


def test_another_server_is_told_with_what_comes_first(project: Project) -> None:
    printed = project.blueprint("reconfigure", "prefect_api_url=http://127.0.0.1:4999/api")
    typed = [line.strip().partition("    #")[0] for line in printed.splitlines()]
    there = [one for one in typed if "blueprint cleanup" in one or one.startswith("git ")]
    assert there[0] == "git restore --staged --worktree ." and "cleanup" in there[1]
    assert any(one.startswith("git commit") for one in there[2:])
    assert any("reconfigure prefect_api_url=http://127.0.0.1:4999/api" in one for one in typed)
    assert "stash" not in printed


def test_what_cannot_change_or_is_no_question_is_refused_with_the_reason(project: Project) -> None:
    before = project.state()
    for command in ("reconfigure", "update"):
        printed = project.blueprint(command, "project_slug=another", code=1)
        assert "project_slug does not change once a project is stamped" in printed
        assert "the flow's name" in project.blueprint(command, "project_name=Another", code=1)
    printed = project.blueprint("reconfigure", "schedul=1 2 * * *", code=1)
    assert "no question 'schedul'" in printed and "schedule, timezone" in printed
    assert "key=value, not 'x'" in project.blueprint("reconfigure", "x", code=1)
    assert "cleanup" in project.blueprint(
        "reconfigure", "prefect_api_url=http://x/api", "--redeploy", code=1
    )
    assert project.state() == before


def test_after_reconfigure_and_redeploy_the_server_has_nothing_of_the_old(
    stamp_living: Callable[..., Living], first: Template, tools: Path
) -> None:
    living = stamp_living("living", **ANSWERS)
    path = comes_from(first, living.path)
    (path / ".blueprint").mkdir(exist_ok=True)
    (path / ".blueprint" / "copier").symlink_to(tools / ".blueprint" / "copier")
    commit_all(path, "Stamped")
    with living.deployed():
        wait_for(lambda: len(waiting(living)) >= 3)
        # One that a person asked for waits in the old pool, where it shall not be left.
        planned(living, deployment(living)["id"], name="by hand")
        printed = living.blueprint(
            *("reconfigure", "schedule=45 4 * * *", "timezone=Asia/Tokyo"),
            *("work_pool_name=the new pool", "--redeploy"),
        )
        assert "work_pool_name: it's the pool became the new pool" in printed
        (held,) = living.api("/deployments/filter", {})
        assert held["work_pool_name"] == "the new pool"
        (schedule,) = held["schedules"]
        assert schedule["active"] and schedule["schedule"]["cron"] == "45 4 * * *"
        assert schedule["schedule"]["timezone"] == "Asia/Tokyo"
        runs = wait_for(lambda: len(waiting(living)) >= 4 and waiting(living))
        assert {one["work_pool_name"] for one in runs} == {"the new pool"}
        assert [one["name"] for one in runs if not one["auto_scheduled"]] == ["by hand"]
        automatic = [one for one in runs if one["auto_scheduled"]]
        assert {one["expected_start_time"][11:16] for one in automatic} == {"19:45"}
        workers = living.api("/work_pools/the%20new%20pool/workers/filter", {})
        assert [one["status"] for one in workers] == ["ONLINE"]
        assert "the server holds what prefect.yaml says" in living.blueprint(
            "redeploy", "--dry-run"
        )
