"""tools/fleet.py: many projects stamped from a table."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from histories import Template, git
from teams import HOSTILE, Fleet, names, stamped


def test_all_faults_of_a_table_are_told_at_once_and_nothing_is_stamped(fleet: Fleet) -> None:
    (fleet.folder / "into" / "taken").mkdir(parents=True)
    rows = [
        ("A", "", "Europe/Berln", "maybe", "1"),
        ("A", "", "", "", "1"),
        ("B", "../up", "{{ 7*7 }}", "TRUE", ""),
        ("C", "same", "", "false", ""),
        ("D", "SAME", "", "", ""),
        ("!!!", "", "", "", ""),
        ("E", "taken", "", "", ""),
        ("F", "fine", "UTC", "", ""),
    ]
    columns = ("project_name", "project_slug", "timezone", "create_venv", "timezon")
    table = fleet.table([dict(zip(columns, row, strict=True)) for row in rows])
    said = fleet.refused("stamp", table, "--into", "into")
    for told in (
        "row 2: 'timezon' is no question of the template, which asks: project_name, project_slug",
        "row 2: timezone is 'Europe/Berln': no such zone",
        "row 2: create_venv is 'maybe': neither of them",
        "row 3: the project_slug 'a' is row 2's too",
        "row 3: the project_name 'A' at the same prefect_api_url",
        "row 4: project_slug is '../up': it does not fit",
        "row 4: timezone is '{{ 7*7 }}': with a control or unseen character",
        "row 6: the project_slug 'SAME' is row 5's too",
        "row 7: project_slug is '', made from the other answers",
        f"row 8: the folder {fleet.folder / 'into' / 'taken'} is there already",
        "timezone must be an IANA timezone",
    ):
        assert told in said, said
    assert "row 9" not in said
    assert said.count("project_slug must be") == 1, "a rule is told once, however many break it"
    assert [path.name for path in (fleet.folder / "into").iterdir()] == ["taken"]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("t.csv", "project_name,project_name\nA,B\n", "name each column once: project_name"),
        ("t.csv", "project_name,timezone\nA,UTC,x\n", "not so many cells in row 2"),
        ("t.csv", "project_name,timezone\nA\n", "not so many cells in row 2"),
        ("t.csv", 'project_name\n"A\n', "is not CSV"),
        ("t.csv", "project_name\n\n", "has no row"),
        ("t.csv", "", "has no row"),
        ("t.txt", "project_name\nA\n", "must end in .csv, .yaml or .yml"),
        ("t.yaml", "project_name: A\n", "must be a list"),
        ("t.yaml", "- project_name: [\n", "is not YAML"),
        ("t.yaml", "- {project_name: A, timezone: UTC, timezone: UTC}\n", "'timezone' stands"),
        ("t.yaml", "- {project_name: 2024}\n", "row 1: project_name is 2024: no text"),
        ("t.yaml", "- {create_venv: 1}\n", "row 1: create_venv is 1: neither of them"),
        ("t.yaml", "- {_template_version: '9'}\n", "'_template_version' is no question"),
    ],
)
def test_what_is_no_table_of_answers_is_told(name: str, text: str, told: str, fleet: Fleet) -> None:
    (fleet.folder / name).write_text(text, "utf-8")
    assert told in fleet.refused("stamp", name, "--into", "into")
    assert not (fleet.folder / "into").exists()


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffproject_name;schedule;create_venv\r\nA;0,30 5 * * *;FALSE\r\n;;\r\nB;;\r\n",
        'project_name, schedule, create_venv\nA, "0,30 5 * * *", false\nB, , \n',
        "project_name\tschedule\tcreate_venv\nA\t0,30 5 * * *\tfalse\nB\t\t\n",
    ],
    ids=["semicolons", "spaces", "tabs"],
)
def test_whatever_a_spreadsheet_writes_is_read(text: str, fleet: Fleet) -> None:
    (fleet.folder / "t.csv").write_text(text, "utf-8")
    assert "t.csv: 2 rows, and each can be stamped" in fleet.run("stamp", "t.csv", "--check").stderr


def test_a_row_gives_what_cookiecutter_gives_with_its_answers(
    fleet: Fleet, small: Template
) -> None:
    into = stamped(fleet, small, [HOSTILE, dict.fromkeys(HOSTILE, "") | {"project_name": "Second"}])
    by_hand = fleet.folder / "by-hand" / "ledger"
    words = [f"{key}={value}" for key, value in (HOSTILE | {"create_venv": "false"}).items()]
    command = [sys.executable, "-m", "cookiecutter", "--no-input", "-o", str(by_hand.parent)]
    subprocess.run([*command, str(small.path), *words], env=fleet.environment, check=True)
    files = sorted(path.relative_to(by_hand) for path in by_hand.rglob("*") if path.is_file())
    made = into / "ledger"
    tracked = git(made, "ls-files").splitlines()
    assert tracked == sorted(map(str, files)), "all is committed"
    for name in files:
        assert (made / name).read_bytes() == (by_hand / name).read_bytes(), name
        assert (made / name).stat().st_mode == (by_hand / name).stat().st_mode, name
    assert git(made, "status", "--porcelain") == ""
    second = yaml.safe_load((into / "second" / "prefect.yaml").read_text("utf-8"))
    assert second["deployments"][0]["schedules"][0]["timezone"] == "America/Chicago"
    told = yaml.safe_load((made / ".copier-answers.yml").read_text("utf-8"))
    assert (told["_commit"], told["_src_path"]) == ("v0.2.0", str(small.path))


def test_projects_that_are_there_are_left_alone_where_that_is_asked_for(
    fleet: Fleet, small: Template
) -> None:
    into = stamped(fleet, small, names(1))
    mine = into / "orders-0" / "README.md"
    mine.write_text("mine", "utf-8")
    assert "is there already" in fleet.refused("stamp", fleet.table(names(2)), "--into", into)
    stamped(fleet, small, names(2), "--skip-existing")
    assert mine.read_text("utf-8") == "mine"
    assert (into / "orders-1" / "README.md").is_file()


def test_a_project_whose_template_fails_is_told_and_leaves_nothing(
    fleet: Fleet, released: Path, tmp_path: Path
) -> None:
    broken = Template.small(released, tmp_path / "broken")
    broken.file("README.md").write_text("{{ cookiecutter.no_such_thing }}\n", "utf-8")
    tool = broken.path / "tools" / "fleet.py"
    words = ("stamp", fleet.table(names(2)), "--into", "into")
    done = fleet.run(*words, code=1, tool=tool)
    assert "2 failed" in done.stdout and "no_such_thing" in done.stdout
    assert sorted(path.name for path in (fleet.folder / "into").iterdir()) == [
        *("orders-0.log", "orders-1.log")
    ]
    assert "changes that are not committed" in done.stderr


def test_without_a_name_for_git_nothing_is_begun(fleet: Fleet) -> None:
    (fleet.folder / "home" / ".gitconfig").unlink()
    words = ("stamp", fleet.table(names(2)), "--into", "into", "--git")
    assert "git config --global user.name" in fleet.refused(*words)
    assert not list((fleet.folder / "into").iterdir())
    assert "git config --global user.name" in fleet.refused("update", fleet.list("nowhere"))


def test_a_repositorys_password_is_written_into_no_project(fleet: Fleet, small: Template) -> None:
    origin = "https://ann:secret@git.example.com/team/blueprint"
    git(small.path, "remote", "add", "origin", origin)
    try:
        into = stamped(fleet, small, names(1))
    finally:
        git(small.path, "remote", "remove", "origin")
    told = yaml.safe_load((into / "orders-0" / ".copier-answers.yml").read_text("utf-8"))
    assert told["_src_path"] == "git+https://git.example.com/team/blueprint"


@pytest.mark.slow
def test_a_hundred_projects_are_stamped_in_one_go_each_with_its_own_answers(
    fleet: Fleet, released: Path
) -> None:
    """From the whole template, with all of its files."""
    zones = ("Europe/Berlin", "UTC", "Asia/Kolkata", "")
    rows = [
        {
            "project_name": f"Orders of {number}",
            "work_pool_name": f"pool '{number % 7}'",
            "schedule": f"{number % 60} {number % 24} * * *",
            "timezone": zones[number % 4],
        }
        for number in range(100)
    ]
    fleet.patience = 1800
    into = stamped(fleet, Template(released, fleet.folder / "prefect-blueprint"), rows)
    assert len(list(into.iterdir())) == 100
    expected = (ROOT / "tests" / "stamped_files.txt").read_text("utf-8").splitlines()
    for number, row in enumerate(rows):
        project = into / f"orders-of-{number}"
        assert sorted(git(project, "ls-files").splitlines()) == expected
        (deployment,) = yaml.safe_load((project / "prefect.yaml").read_text("utf-8"))["deployments"]
        (schedule,) = deployment["schedules"]
        found = (deployment["work_pool"]["name"], schedule["cron"], schedule["timezone"])
        zone = row["timezone"] or "America/Chicago"
        assert found == (row["work_pool_name"], row["schedule"], zone)
        assert f'name="{row["project_name"]}"' in (
            project / "src" / "data_pipeline" / "flow.py"
        ).read_text("utf-8")
    assert not list((fleet.folder / "home").glob(".cookiecutter*")), "no cache is shared"
    # pytest keeps its last folders, and these are some hundred megabytes.
    shutil.rmtree(into)
