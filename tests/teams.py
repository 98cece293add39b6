"""tools/fleet.py at work: a home of its own, a template with a release, a team's repositories.

Most of its tests use a template of a few files, and stand-ins for a project's own checks: what is
tested is what the fleet does with them, and that copier merges a whole project is tested elsewhere.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from conftest import ROOT, commit_all
from histories import Template, git, replace

TOOL = ROOT / "tools" / "fleet.py"
EDITED = "src/data_pipeline/transform.py"
REMOVED = "docs/SOURCES.md"
ADDED = "docs/NEWS.md"
BRANCH = "blueprint-v0.3.0"

# Answers that are legal, and end a string, a key or a comment where they are put in carelessly.
HOSTILE = {
    "project_name": """Müller's "Q3" Ledger""",
    "project_slug": "ledger",
    "work_pool_name": """it's the "pool": 1""",
    "schedule": "0,30 5 * * MON-FRI",
    "timezone": "Europe/Berlin",
    "source_url": "C:\\Ann's data\\$(id).csv",
}


class Fleet:
    """The tool, with a home and a git name of its own. patience: seconds that a run may take."""

    def __init__(self, folder: Path, patience: float = 600) -> None:
        self.folder, self.patience = folder, patience
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
        try:
            out, err = child.communicate(timeout=self.patience)
        except BaseException:
            # Which ends what it has started.
            child.terminate()
            child.communicate()
            raise
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


def with_a_release(template: Template) -> Template:
    """The template at v0.2.0, with v0.3.0 tagged ahead of what is checked out."""
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


class Team:
    """Repositories of a team, each with a history and edits of its own, stamped at v0.2.0."""

    def __init__(self, fleet: Fleet, template: Template, count: int) -> None:
        self.fleet = fleet
        self._work = stamped(fleet, template, names(count))
        self.folder = fleet.folder / "team"
        self.folder.mkdir()

    def edit(self, number: int, edit: Callable[[Path], None] | None = None) -> Path:
        """Publish one of them, after an edit of its own; gives the bare repository."""
        return self.publish(self._work / f"orders-{number}", edit)

    def publish(self, project: Path, edit: Callable[[Path], None] | None = None) -> Path:
        """Publish any project, as one of the team's."""
        if edit:
            edit(project)
            commit_all(project, "What the team needs")
        bare = self.folder / f"{project.name}.git"
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


def merged(repository: Path, edit: Callable[[Path], None] | None) -> None:
    """The branch has the template's change and the team's."""
    files = git(repository, "ls-tree", "-r", "--name-only", BRANCH).splitlines()
    assert '"""Of the newer template. ' in shown(repository, BRANCH, EDITED)
    assert ADDED in files and REMOVED not in files
    assert "_commit: 'v0.3.0'" in shown(repository, BRANCH, ".copier-answers.yml")
    if edit is in_the_middle:
        assert "    # the team's\n" in shown(repository, BRANCH, EDITED)
    if edit is adding_and_deleting:
        assert shown(repository, BRANCH, "src/data_pipeline/own.py") == "OWN = 1\n"
        assert "scripts/check_status.sh" not in files
    subject = git(repository, "log", "-1", "--format=%s", BRANCH).strip()
    assert subject == "Update the template from v0.2.0 to v0.3.0"
    assert git(repository, "rev-parse", f"{BRANCH}~1") == git(repository, "rev-parse", "main")


def left_running(folder: Path) -> list[str]:
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
