"""tools/fleet.py, stopped while it works: nothing is left half-made, and it goes on."""

from __future__ import annotations

import signal

import pytest
from histories import Template, git
from living import wait_for
from teams import Fleet, Team, left_running, merged, names


def test_ctrl_c_leaves_whole_projects_alone_and_the_same_command_goes_on(
    fleet: Fleet, small: Template
) -> None:
    table, into = fleet.table(names(12)), fleet.folder / "projects"
    tool = small.path / "tools" / "fleet.py"
    words = ("stamp", table, "--into", into, "--git", "--skip-existing", "--jobs", "2")
    child = fleet.start(*words, tool=tool)
    wait_for(lambda: into.is_dir() and list(into.glob("orders-*")))
    child.send_signal(signal.SIGINT)
    said = child.communicate(timeout=60)[1]
    assert child.returncode == 130 and "the same command goes on" in said
    assert "Traceback" not in said
    there = sorted(path.name for path in into.iterdir())
    assert 0 < len(there) < 12 and all(name.startswith("orders-") for name in there)
    assert all(git(into / name, "status", "--porcelain") == "" for name in there)
    assert not left_running(into)
    fleet.run(*words, tool=tool)
    assert len(list(into.iterdir())) == 12


@pytest.mark.slow
def test_ctrl_c_ends_the_tests_of_a_repository_and_the_same_command_goes_on(
    fleet: Fleet, small: Template
) -> None:
    repository = Team(fleet, small, 1).edit(0)
    listed, begun = fleet.list(repository), fleet.folder / "begun"
    # What a test starts in a session of its own ends too.
    endless = f"touch '{begun}'; setsid sleep 600 & wait"
    child = fleet.start("update", listed, "--push", "--test-command", endless)
    wait_for(begun.exists)
    refused = fleet.refused("update", listed)
    assert "Another fleet is at work" in refused
    child.send_signal(signal.SIGTERM)
    said = child.communicate(timeout=60)[1]
    assert child.returncode == 130 and "Traceback" not in said
    wait_for(lambda: not left_running(fleet.folder))
    assert git(repository, "branch", "--list", "blueprint*") == ""
    lock = next((fleet.folder / ".fleet").glob("orders-0-*/.git")) / "index.lock"
    lock.touch()
    done = fleet.outcomes("update", listed, "--push", "--test-command", "true")
    assert done["orders-0"]["state"] == "updated"
    merged(repository, None)
