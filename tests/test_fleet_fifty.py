"""tools/fleet.py: fifty repositories of a team, brought to a release in one run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from histories import Template, git
from teams import (
    EDITED,
    EDITS,
    REMOVED,
    Fleet,
    Team,
    at_the_same_place,
    breaking_its_tests,
    left_running,
    merged,
    with_a_release,
)


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


@pytest.fixture(scope="module")
def small(released: Path, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A template of a few files, at v0.2.0, with v0.3.0 tagged ahead of what is checked out."""
    folder = tmp_path_factory.mktemp("small") / "template"
    return with_a_release(Template.small(released, folder))


@pytest.mark.slow
def test_fifty_repositories_are_updated_and_ten_conflicts_are_told_and_left_alone(
    fleet: Fleet, small: Template
) -> None:
    team = Team(fleet, small, 51)
    fifty = [team.edit(number, EDITS[number % 5]) for number in range(50)]
    failing, current = team.edit(50, breaking_its_tests), _newer(fleet, small)
    before = {one: git(one, "for-each-ref") for one in (*fifty, failing, current)}
    listed = fleet.list("# the team's", *fifty, failing, f"{current}  # newest", "nowhere/at-all")
    words = ("--push", "--jobs", "4", "--test-command", "test ! -e broken.txt")

    done = fleet.outcomes("update", listed, *words, code=1)

    assert list(done) == [*(f"orders-{number}" for number in range(51)), "newer", "at-all"]
    assert [one["state"] for one in done.values()].count("conflict") == 10
    for number, repository in enumerate(fifty):
        _as_planned(done[f"orders-{number}"], repository, EDITS[number % 5], before[repository])
    assert (done["newer"]["state"], done["newer"]["now"]) == ("current", "v0.3.0")
    assert done["at-all"]["state"] == "failed" and "cannot be cloned" in done["at-all"]["why"]
    assert "its tests ended with 1" in done["orders-50"]["why"]
    assert "test ! -e broken.txt" in Path(done["orders-50"]["log"]).read_text("utf-8")
    for one in (failing, current):
        assert git(one, "for-each-ref") == before[one], "nothing was pushed"
    assert not left_running(fleet.folder)

    few = [*fifty[:5], failing, current]
    heads = {one: git(one, "for-each-ref") for one in few}
    again = fleet.outcomes("update", fleet.list(*few), *words, code=1)
    assert {name: one["state"] for name, one in again.items()} == {
        name: done[name]["state"] for name in again
    }
    assert {one: git(one, "for-each-ref") for one in few} == heads, "no branch is made twice"


def _newer(fleet: Fleet, template: Template) -> Path:
    """A repository that was stamped from the newest version."""
    git(template.path, "checkout", "--quiet", "v0.3.0")
    try:
        table = fleet.table([{"project_name": "Newer"}], "newer.csv")
        into = fleet.folder / "newer"
        tool = template.path / "tools" / "fleet.py"
        fleet.run("stamp", table, "--into", into, "--git", tool=tool)
    finally:
        git(template.path, "checkout", "--quiet", "v0.2.0")
    return into / "newer"


def _as_planned(
    one: dict[str, Any], repository: Path, edit: Callable[[Path], None] | None, before: str
) -> None:
    """A conflict is told, and its repository as it was; else the branch is there, and merged."""
    refs = git(repository, "for-each-ref")
    if edit is at_the_same_place:
        assert (one["state"], one["pushed"]) == ("conflict", False)
        assert [file["path"] for file in one["files"]] == [EDITED]
        assert refs == before, "nothing was pushed"
        return
    assert (one["state"], one["pushed"]) == ("updated", True), one
    assert (one["was"], one["now"], one["branch"]) == ("v0.2.0", "v0.3.0", "blueprint-v0.3.0")
    assert one["deleted"] == [REMOVED]
    added = set(refs.splitlines()) - set(before.splitlines())
    assert [line.split("refs/")[1] for line in added] == ["heads/blueprint-v0.3.0"]
    merged(repository, edit)
