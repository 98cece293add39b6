"""tools/fleet.py: which repositories, which answers and which checks it takes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from teams import Fleet


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("# none\n\n", "names no repository"),
        ("a/b\na/../a/b  # again\n", "in line 1 and 2"),
        ("a/b\na/b  test: true\n", "in line 1 and 2"),
        ("a/b\nc/d  tests: make\n", "has 'tests:' in line 2. Only 'test:' with a command"),
        ("a/b\nc/d  test:make\n", "line 2 a 'test:' that is not read as one"),
        ("a/b  Test: make\n", "line 1 a 'test:' that is not read as one"),
        ("# all\n  test: make\n", "has 'test:' in line 2"),
    ],
)
def test_what_is_no_list_of_repositories_is_told(text: str, told: str, fleet: Fleet) -> None:
    (fleet.folder / "list.txt").write_text(text, "utf-8")
    assert told in fleet.refused("update", "list.txt")


def test_an_addresss_password_is_in_no_report_and_in_no_log(fleet: Fleet) -> None:
    listed = fleet.list("http://ann:secret@127.0.0.1:9/team/orders.git")
    done = fleet.run("update", listed, code=1)
    assert "http://127.0.0.1:9/team/orders.git" in done.stdout
    logs = [path.read_text("utf-8") for path in (fleet.folder / ".fleet").glob("*.log")]
    assert logs and "secret" not in "".join([done.stdout, done.stderr, *logs])


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        (["timezone=Europe/Berln"], "timezone is 'Europe/Berln': no such zone"),
        (["zone=UTC"], "The template has no question 'zone'"),
        (["project_slug=x"], "does not change once a project is stamped"),
        (["timezone"], "An answer is key=value, not 'timezone'"),
    ],
)
def test_an_answer_that_cannot_be_is_refused_before_a_repository_is_touched(
    answers: list[str], told: str, fleet: Fleet
) -> None:
    said = fleet.refused("reconfigure", fleet.list("nowhere"), *answers)
    assert told in said
    assert not (fleet.folder / ".fleet").exists()


def test_the_checks_that_an_update_must_pass_are_those_of_a_projects_own_workflow(
    template: Path,
) -> None:
    from fleets.wishes import CHECKS

    workflow = next(template.glob("*/.github/workflows/checks.yml"))
    steps = yaml.safe_load(workflow.read_text("utf-8"))["jobs"]["checks"]["steps"]
    run = [step["run"].removeprefix("python ") for step in steps if "run" in step]
    assert [" ".join(one).replace(" --quiet", "") for one in CHECKS] == run
