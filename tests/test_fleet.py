"""tools/fleet.py: many projects stamped from a table, and many repositories kept on one template.

Most of these use a template of a few files, and stand-ins for a project's own checks: what is tested
is what the fleet does with them, and that copier merges a whole project is tested elsewhere.
"""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from conftest import ROOT, commit_all
from histories import Template, git, replace
from living import wait_for

TOOL = ROOT / "tools" / "fleet.py"
EDITED = "src/data_pipeline/transform.py"
REMOVED = "scripts/cleanup.sh"
ADDED = "docs/NEWS.md"


class Fleet:
    """The tool, with a home and a git name of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        home = folder / "home"
        home.mkdir()
        settings = "[user]\nname = t\nemail = t@example.com\n[init]\ndefaultBranch = main\n"
        (home / ".gitconfig").write_text(settings, "utf-8")
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("GIT_AUTHOR")},
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home),
            "GIT_CONFIG_NOSYSTEM": "1",
        }

    def start(self, *words: str | Path, tool: Path = TOOL) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(tool), *map(str, words)],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(
        self, *words: str | Path, code: int = 0, tool: Path = TOOL
    ) -> subprocess.CompletedProcess[str]:
        """Run the tool, which ends with that exit code and never with a traceback."""
        child = self.start(*words, tool=tool)
        out, err = child.communicate(timeout=600)
        assert child.returncode == code, out + err
        assert "Traceback" not in out + err
        return subprocess.CompletedProcess(child.args, code, out, err)

    def refused(self, *words: str | Path) -> str:
        """What is said of what cannot be done."""
        return self.run(*words, code=1).stderr

    def outcomes(self, *words: str | Path, code: int = 0) -> dict[str, dict[str, Any]]:
        """What became of each repository, by its name."""
        told = json.loads(self.run(*words, "--json", code=code).stdout)
        return {one["name"]: one for one in told["repositories"]}

    def table(self, rows: list[dict[str, str]], name: str = "table.csv") -> Path:
        """A table of these rows, all with the same columns."""
        path = self.folder / name
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return path

    def list(self, *repositories: Path | str, name: str = "list.txt") -> Path:
        path = self.folder / name
        path.write_text("".join(f"{one}\n" for one in repositories), "utf-8")
        return path


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


@pytest.fixture(scope="module")
def small(released: Path, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A template of a few files, at v0.2.0, with v0.3.0 tagged ahead of what is checked out."""
    template = Template.small(released, tmp_path_factory.mktemp("small") / "template")
    template.release("0.2.0")
    template.release("0.3.0", lambda: _grow(template))
    git(template.path, "checkout", "--quiet", "v0.2.0")
    return template


def _grow(template: Template) -> None:
    text = template.file(EDITED).read_text("utf-8")
    template.file(EDITED).write_text(text.replace('"""', '"""Of the newer template. ', 1), "utf-8")
    template.file(REMOVED).unlink()
    template.file(ADDED).write_text("# News\n", "utf-8")


def stamped(fleet: Fleet, template: Template, rows: list[dict[str, str]], *words: str) -> Path:
    """Projects of these rows, stamped by the template's own tool; gives their folder."""
    into = fleet.folder / "projects"
    tool = template.path / "tools" / "fleet.py"
    fleet.run("stamp", fleet.table(rows), "--into", into, "--git", *words, tool=tool)
    return into


def names(count: int) -> list[dict[str, str]]:
    return [{"project_name": f"Orders {number}"} for number in range(count)]


# Stamping from a table.


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
    hard = {
        "project_name": """Müller's "Q3" Ledger""",
        "project_slug": "ledger",
        "work_pool_name": """it's the "pool": 1""",
        "schedule": "0,30 5 * * MON-FRI",
        "timezone": "Europe/Berlin",
        "source_url": "C:\\Ann's data\\$(id).csv",
    }
    into = stamped(fleet, small, [hard, dict.fromkeys(hard, "") | {"project_name": "Second"}])
    by_hand = fleet.folder / "by-hand" / "ledger"
    words = [f"{key}={value}" for key, value in (hard | {"create_venv": "false"}).items()]
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
    fleet: Fleet, small: Template
) -> None:
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
    into = stamped(fleet, small, rows)
    assert len(list(into.iterdir())) == 100
    for number, row in enumerate(rows):
        project = into / f"orders-of-{number}"
        (deployment,) = yaml.safe_load((project / "prefect.yaml").read_text("utf-8"))["deployments"]
        (schedule,) = deployment["schedules"]
        found = (deployment["work_pool"]["name"], schedule["cron"], schedule["timezone"])
        zone = row["timezone"] or "America/Chicago"
        assert found == (row["work_pool_name"], row["schedule"], zone)
        assert f'name="{row["project_name"]}"' in (
            project / "src" / "data_pipeline" / "flow.py"
        ).read_text("utf-8")
    assert not list((fleet.folder / "home").glob(".cookiecutter*")), "no cache is shared"


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
    assert not _left(into)
    fleet.run(*words, tool=tool)
    assert len(list(into.iterdir())) == 12


# A list of repositories.


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("# none\n\n", "names no repository"),
        ("a/b\na/../a/b  # again\n", "in line 1 and 2"),
        ("a/b\na/b  test: true\n", "in line 1 and 2"),
        ("a/b\nc/d  tests: make\n", "has 'tests:' in line 2. Only 'test:' and a command can"),
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


# Updating many.


class Team:
    """Repositories of a team, each with a history and edits of its own, stamped at v0.2.0."""

    def __init__(self, fleet: Fleet, template: Template, count: int) -> None:
        self.fleet = fleet
        self._work = stamped(fleet, template, names(count))
        self.folder = fleet.folder / "team"
        self.folder.mkdir()

    def edit(self, number: int, edit: Callable[[Path], None] | None = None) -> Path:
        """Publish a project, after an edit of its own; gives the bare repository."""
        project = self._work / f"orders-{number}"
        if edit:
            edit(project)
            commit_all(project, "What the team needs")
        bare = self.folder / f"orders-{number}.git"
        git(self.folder, "clone", "--quiet", "--bare", str(project), bare.name)
        return bare


def in_the_middle(project: Path) -> None:
    replace(
        project / EDITED,
        "    return records.project(",
        "    # the team's\n    return records.project(",
    )


def adding_and_deleting(project: Path) -> None:
    (project / "src" / "data_pipeline" / "own.py").write_text("OWN = 1\n", "utf-8")
    (project / "scripts" / "check_status.sh").unlink()


def at_the_same_place(project: Path) -> None:
    text = (project / EDITED).read_text("utf-8")
    (project / EDITED).write_text(text.replace('"""', '"""Of the team. ', 1), "utf-8")


def breaking_its_tests(project: Path) -> None:
    (project / "broken.txt").write_text("x\n", "utf-8")


# One in five is in conflict.
EDITS = (at_the_same_place, in_the_middle, adding_and_deleting, None, in_the_middle)


def shown(repository: Path, branch: str, name: str) -> str:
    return git(repository, "show", f"{branch}:{name}")


def _left(folder: Path) -> list[str]:
    """Processes that work in a folder or were started with one of its paths."""
    found = []
    for one in psutil.process_iter():
        try:
            words = [*one.cmdline(), one.cwd()]
        except psutil.Error:
            continue
        if one.pid != os.getpid() and any(str(folder) in word for word in words):
            found.append(" ".join(words))
    return found


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
    assert not _left(fleet.folder)

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
    _merged(repository, edit)


def _merged(repository: Path, edit: Callable[[Path], None] | None) -> None:
    """The branch has the template's change and the team's."""
    branch = "blueprint-v0.3.0"
    files = git(repository, "ls-tree", "-r", "--name-only", branch).splitlines()
    assert '"""Of the newer template. ' in shown(repository, branch, EDITED)
    assert ADDED in files and REMOVED not in files
    assert "_commit: 'v0.3.0'" in shown(repository, branch, ".copier-answers.yml")
    if edit is in_the_middle:
        assert "    # the team's\n" in shown(repository, branch, EDITED)
    if edit is adding_and_deleting:
        assert shown(repository, branch, "src/data_pipeline/own.py") == "OWN = 1\n"
        assert "scripts/check_status.sh" not in files
    subject = git(repository, "log", "-1", "--format=%s", branch).strip()
    assert subject == "Update the template from v0.2.0 to v0.3.0"
    assert git(repository, "rev-parse", f"{branch}~1") == git(repository, "rev-parse", "main")


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
    _merged(first, None)

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
    wait_for(lambda: not _left(fleet.folder), 10)
    assert git(repository, "branch", "--list", "blueprint*") == ""
    lock = next((fleet.folder / ".fleet").glob("orders-0-*/.git")) / "index.lock"
    lock.touch()
    done = fleet.outcomes("update", listed, "--push", "--test-command", "true")
    assert done["orders-0"]["state"] == "updated"
    _merged(repository, None)
