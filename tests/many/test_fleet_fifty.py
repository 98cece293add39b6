"""tools/fleet.py: fifty repositories of a team, brought to a release in one run.

Forty-eight are of a few files and have a stub as their test command in the list. Two are whole, and
are tested as their own workflow does it: no command is named for them, nor for all.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from histories import Template, git
from living import free_port, wait_for
from teams import (
    BRANCH,
    EDITED,
    EDITS,
    HOSTILE,
    REMOVED,
    Fleet,
    Team,
    at_the_same_place,
    breaking_its_tests,
    in_the_middle,
    left_running,
    merged,
    shown,
    stamped,
    with_a_release,
)

Edit = Callable[[Path], None] | None

STUB = "test ! -e broken.txt"
PLAIN = {
    "project_name": "Ann's returns",
    "project_slug": "returns",
    "work_pool_name": "europe",
    "schedule": "15 6 * * *",
    "timezone": "Asia/Kolkata",
    "source_url": "",
}
OWN_TEST = """\
from pathlib import Path

from data_pipeline import transform
from data_pipeline.own import OWN


def test_our_own_module() -> None:
    assert OWN == 1
    mark = Path(__file__).parents[1].with_suffix(".tested")
    mark.write_text(transform.__doc__ or "", "utf-8")
"""


def with_a_test(project: Path) -> None:
    """A module with a test, which leaves beside the clone a mark of what it has been run on."""
    (project / "src" / "data_pipeline" / "own.py").write_text("OWN = 1\n", "utf-8")
    (project / "tests" / "test_own.py").write_text(OWN_TEST, "utf-8")


def in_the_middle_with_a_test(project: Path) -> None:
    in_the_middle(project)
    with_a_test(project)


class Member:
    """A repository of the fifty, with its edit and the test command that the list names for it."""

    def __init__(self, repository: Path, edit: Edit, test: str = "") -> None:
        self.repository, self.edit = repository, edit
        self.line = f"{repository}  test: {test}" if test else str(repository)
        self.before = self.references()

    def references(self) -> str:
        return git(self.repository, "for-each-ref")


@pytest.mark.slow
def test_fifty_repositories_are_updated_and_ten_conflicts_are_told_and_left_alone(
    released: Path, tmp_path: Path
) -> None:
    # The checks of the two take minutes of a machine that does nothing else.
    fleet = Fleet(tmp_path, patience=7200)
    small = with_a_release(Template.small(released, tmp_path / "small"))
    whole = with_a_release(Template(released, tmp_path / "whole"))
    team = Team(fleet, small, 49)
    real = _whole(team, whole)
    fifty = real | {f"orders-{number}": _stubbed(team, number) for number in range(48)}
    others = {"orders-48": _stubbed(team, 48), "newer": Member(_newer(fleet, small), None)}
    lines = [one.line for one in (fifty | others).values()]
    words = ("--push", "--jobs", "4", "--test-minutes", "60")

    listed = fleet.list("# the team's", *lines, "nowhere/at-all  # gone")
    done = fleet.outcomes("update", listed, *words, code=1)

    assert list(done) == [*fifty, *others, "at-all"] and len(fifty) == 50
    assert [one["state"] for one in done.values()].count("conflict") == 10
    for name, member in fifty.items():
        _as_planned(done[name], member)
    for name, member in real.items():
        _tested_whole(done[name], member, whole)
    assert "    # the team's\n" in shown(real["ledger"].repository, BRANCH, EDITED)
    assert done["at-all"]["state"] == "failed" and "cannot be cloned" in done["at-all"]["why"]
    assert "its tests ended with 1" in done["orders-48"]["why"]
    assert f"$ {STUB}\n" in Path(done["orders-48"]["log"]).read_text("utf-8")
    assert (done["newer"]["state"], done["newer"]["now"]) == ("current", "v0.3.0")
    assert not [one for one in others.values() if one.references() != one.before]
    wait_for(lambda: not left_running(fleet.folder))

    # With one of each edit.
    few = dict([*fifty.items()][:7]) | others
    _once_more(fleet, few, {name: done[name]["state"] for name in few}, words)
    assert not [name for name in real if _mark(done[name]).exists()], "none is tested twice"


def _once_more(
    fleet: Fleet, members: dict[str, Member], states: dict[str, str], words: tuple[str, ...]
) -> None:
    """The same command makes no branch twice, and tells the same."""
    heads = [one.references() for one in members.values()]
    listed = fleet.list(*(one.line for one in members.values()))
    again = fleet.outcomes("update", listed, *words, code=1)
    assert {name: one["state"] for name, one in again.items()} == states
    assert [one.references() for one in members.values()] == heads


def _stubbed(team: Team, number: int) -> Member:
    """A repository of a few files. The last one's edit breaks its tests."""
    edit = breaking_its_tests if number == 48 else EDITS[number % 5]
    return Member(team.edit(number, edit), edit, STUB)


def _whole(team: Team, template: Template) -> dict[str, Member]:
    """Two repositories with all of the template's files and tests, and edits of their own."""
    # Validation looks at the API's port, which must be no other server's.
    api = {"prefect_api_url": f"http://127.0.0.1:{free_port()}/api"}
    into = stamped(team.fleet, template, [HOSTILE | api, PLAIN | api])
    edits = {"ledger": in_the_middle_with_a_test, "returns": with_a_test}
    return {name: Member(team.publish(into / name, edit), edit) for name, edit in edits.items()}


def _newer(fleet: Fleet, template: Template) -> Path:
    """A repository that is stamped from the newest version."""
    git(template.path, "checkout", "--quiet", "v0.3.0")
    table = fleet.table([{"project_name": "Newer"}], "newer.csv")
    into = fleet.folder / "newer"
    tool = template.path / "tools" / "fleet.py"
    fleet.run("stamp", table, "--into", into, "--git", tool=tool)
    return into / "newer"


def _as_planned(one: dict[str, Any], member: Member) -> None:
    """A conflict is told, and its repository as it was; else the branch is there, and merged."""
    if member.edit is at_the_same_place:
        assert (one["state"], one["pushed"]) == ("conflict", False)
        assert [file["path"] for file in one["files"]] == [EDITED]
        assert member.references() == member.before, "nothing was pushed"
        return
    assert (one["state"], one["pushed"]) == ("updated", True), one
    assert (one["was"], one["now"], one["branch"]) == ("v0.2.0", "v0.3.0", BRANCH)
    assert one["deleted"] == [REMOVED]
    added = set(member.references().splitlines()) - set(member.before.splitlines())
    assert [line.split("refs/")[1] for line in added] == [f"heads/{BRANCH}"]
    merged(member.repository, member.edit)


def _tested_whole(one: dict[str, Any], member: Member, template: Template) -> None:
    """All checks of its workflow have passed on what was merged, its tests and the template's."""
    log = Path(one["log"]).read_text("utf-8")
    parts = ("files already formatted", "All checks passed!", "INFO 0 errors", "Validate setup")
    assert not [part for part in parts if part not in log]
    assert re.search(r"\d+ passed\b.* in \d", log)
    assert "Of the newer template. " in _mark(one).read_text("utf-8")
    _mark(one).unlink()
    tests = {path.name for path in template.file("tests").glob("*.py")} | {"test_own.py"}
    files = git(member.repository, "ls-tree", "--name-only", BRANCH, "tests/").splitlines()
    assert {Path(file).name for file in files} == tests
    assert shown(member.repository, BRANCH, "tests/test_own.py") == OWN_TEST
    assert not (Path(one["clone"]) / ".venv").exists(), "some hundred megabytes"


def _mark(one: dict[str, Any]) -> Path:
    return Path(one["clone"]).with_suffix(".tested")
