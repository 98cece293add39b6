"""tools/fleet.py: what becomes of a repository that is updated or reconfigured."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from conftest import commit_all
from histories import Template, git, replace
from teams import (
    EDITED,
    Fleet,
    Team,
    at_the_same_place,
    in_the_middle,
    merged,
    shown,
)


@pytest.mark.slow
def test_what_is_behind_is_seen_and_a_branch_that_is_there_is_not_made_twice(
    fleet: Fleet, small: Template
) -> None:
    team = Team(fleet, small, 2)
    first, second = team.edit(0), team.edit(1, at_the_same_place)
    listed = fleet.list(first, second)
    done = fleet.outcomes("update", listed, "--check", code=2)
    assert {(one["state"], one["now"]) for one in done.values()} == {("behind", "v0.3.0")}
    assert "behind" in fleet.run("update", listed, "--check", code=2).stdout

    stub = ("--test-command", "true")
    done = fleet.run("update", listed, *stub, code=2)
    assert "not pushed: the same command with --push does that" in done.stdout
    assert EDITED in done.stdout and "blueprint-v0.3.0" in done.stdout
    assert git(first, "branch", "--list", "blueprint*") == ""
    # What was tested is not tested again, and is what is pushed.
    done = fleet.outcomes("update", fleet.list(first), "--push", "--test-command", "false")
    assert done["orders-0"]["pushed"] is True
    merged(first, None)

    # The conflict is resolved by a person, on a branch of that name: it is there now.
    work = fleet.folder / "by-hand"
    git(fleet.folder, "clone", "--quiet", str(second), str(work))
    git(work, "checkout", "--quiet", "-b", "blueprint-v0.3.0")
    replace(work / ".copier-answers.yml", "_commit: 'v0.2.0'", "_commit: 'v0.3.0'")
    commit_all(work, "Resolved by hand")
    git(work, "push", "--quiet", "origin", "blueprint-v0.3.0")
    done = fleet.outcomes("update", listed, "--push", *stub)
    assert {(one["state"], one["pushed"]) for one in done.values()} == {("updated", True)}
    assert git(second, "log", "-1", "--format=%s", "blueprint-v0.3.0") == "Resolved by hand\n"
    # Merged, both are current; an older branch of another content is in the way.
    for one in (first, second):
        git(one, "update-ref", "refs/heads/main", "refs/heads/blueprint-v0.3.0")
    done = fleet.outcomes("update", listed)
    assert {one["state"] for one in done.values()} == {"current"}


@pytest.mark.slow
def test_an_answer_is_changed_in_all_and_a_branch_of_another_content_is_not_touched(
    fleet: Fleet, small: Template
) -> None:
    team = Team(fleet, small, 2)
    first, second = team.edit(0, in_the_middle), team.edit(1)
    git(second, "branch", "ours")
    listed = fleet.list(first, second)
    words = ("reconfigure", listed, "timezone=Asia/Tokyo", "schedule=5 4 * * *")
    assert fleet.outcomes(*words, "--check", code=2)["orders-0"]["state"] == "behind"
    done = fleet.outcomes(*words, "--branch", "ours", "--push", "--test-command", "", code=1)
    assert (done["orders-0"]["state"], done["orders-0"]["was"]) == ("updated", "v0.2.0")
    assert "branch ours with something else on it" in done["orders-1"]["why"]
    manifest = yaml.safe_load(shown(first, "ours", "prefect.yaml"))
    (schedule,) = manifest["deployments"][0]["schedules"]
    assert (schedule["cron"], schedule["timezone"]) == ("5 4 * * *", "Asia/Tokyo")
    assert "    # the team's\n" in shown(first, "ours", EDITED)
    assert "_commit: 'v0.2.0'" in shown(first, "ours", ".copier-answers.yml")
    assert git(first, "log", "-1", "--format=%s", "ours") == "Change schedule, timezone\n"
    assert git(second, "rev-parse", "ours") == git(second, "rev-parse", "main")
    git(first, "update-ref", "refs/heads/main", "refs/heads/ours")
    done = fleet.outcomes("reconfigure", fleet.list(first), "timezone=Asia/Tokyo")
    assert done["orders-0"]["state"] == "current"


@pytest.mark.slow
def test_what_cannot_be_updated_is_told_with_its_reason(fleet: Fleet, small: Template) -> None:
    team = Team(fleet, small, 2)

    def gone(project: Path) -> None:
        (project / ".copier-answers.yml").unlink()

    empty = fleet.folder / "empty.git"
    git(fleet.folder, "init", "--quiet", "--bare", str(empty))
    plain, without = team.edit(0), team.edit(1, gone)
    done = fleet.outcomes("update", fleet.list(empty, without), code=1)
    assert "it has no commit on a branch" in done["empty"]["why"]
    assert ".copier-answers.yml is gone" in done["orders-1"]["why"]
    for words, told in (
        (("--base", "other"), "it has no branch other"),
        (("--vcs-ref", "v9.9.9"), "v9.9.9"),
        (("--vcs-ref", "v0.1.0"), "newer than what was asked for"),
        (("--test-command", "sleep 60", "--test-minutes", "0.02"), "took longer than 1 s"),
    ):
        done = fleet.outcomes("update", fleet.list(plain), *words, code=1)
        assert told in done["orders-0"]["why"], done
    assert git(plain, "branch", "--list", "blueprint*") == ""


@pytest.mark.slow
def test_a_repositorys_own_test_command_stands_in_the_list_and_goes_before_that_of_all(
    fleet: Fleet, small: Template
) -> None:
    team = Team(fleet, small, 3)
    first, second, third = (team.edit(number) for number in range(3))
    listed = fleet.list(first, f"{second}  test:", f"{third}\ttest: true && exit 4  # as in CI")
    done = fleet.outcomes("update", listed, "--push", "--test-command", "exit 3", code=1)
    assert done["orders-0"]["why"].startswith("its tests ended with 3")
    assert (done["orders-1"]["state"], done["orders-1"]["pushed"]) == ("updated", True)
    assert done["orders-2"]["why"].startswith("its tests ended with 4")
    assert "\n$ true && exit 4\n" in Path(done["orders-2"]["log"]).read_text("utf-8")
