"""Stamping many projects: each by cookiecutter in a process of its own, with caches of its own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import yaml
from clean_copy import TEMPLATE, clean_copy

from fleets import Problem
from fleets.answers import Questions
from fleets.children import Children, environment, in_parallel
from fleets.table import Fault, Row, check, read

_PROJECT = "{{cookiecutter.project_slug}}"
_STAMPED_FROM = ("cookiecutter.json", "copier.yml", "hooks", "validators", _PROJECT)
_FIRST_COMMIT = (
    ("git", "init", "-q"),
    ("git", "add", "."),
    ("git", "commit", "-q", "-m", "Stamp the pipeline"),
)


@dataclass(frozen=True)
class Stamped:
    """What became of a row: `stamped`, `there` (left as it is) or `failed`, with the reason."""

    row: int
    slug: str
    state: str
    path: str
    seconds: float = 0.0
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def plan(table: Path, into: Path, questions: Questions, skip_existing: bool) -> list[Row]:
    """The rows of a table, none of which has a fault.

    Raises:
        Problem: a row has one; all of them are named.
    """
    rows, faults = check(read(table), questions)
    if not skip_existing:
        faults += [
            Fault(row.number, f"the folder {into / row.slug} is there already")
            for row in rows
            if (into / row.slug).exists()
        ]
    if faults:
        faults.sort(key=lambda one: one.number)
        told = [f"  row {one.number}: {one.what}" for one in faults]
        broken = [key for key in questions.rules if key in {one.key for one in faults}]
        rules = [f"  {key} must be {questions.rules[key]}" for key in broken]
        raise Problem(
            "\n".join([f"Nothing was stamped. To be changed in {table}:", "", *told])
            + "\n".join(["\n", *rules] if rules else [""])
        )
    return rows


class Stamper:
    """Stamps rows into a folder: all of a project is there, or nothing of it."""

    def __init__(
        self, scratch: Path, into: Path, children: Children, *, source: str, git: bool
    ) -> None:
        self._scratch, self._into, self._children, self._git = scratch, into, children, git
        self._template = clean_copy(scratch / "prefect-blueprint")
        self._origin: dict[str, str | bool] = {"_commit": described(), "_src_path": source}

    def stamp(self, row: Row) -> Stamped:
        """Stamp one, unless its folder is there."""
        target = self._into / row.slug
        if target.exists():
            return Stamped(row.number, row.slug, "there", str(target))
        began = time.monotonic()
        own = self._scratch / str(row.number)
        own.mkdir()
        log = own / "log"
        with log.open("wb") as said:
            try:
                reason = self._make(row, own, target, said)
            except OSError as error:  # a full disk, a folder that came in between
                reason = str(error)
        state = "failed" if reason else "stamped"
        if reason:
            shutil.copy(log, self._into / f"{row.slug}.log")
            reason += f" (all of it: {self._into / row.slug}.log)"
        seconds = round(time.monotonic() - began, 1)
        shutil.rmtree(own)
        return Stamped(row.number, row.slug, state, str(target), seconds, reason)

    def _make(self, row: Row, own: Path, target: Path, log: IO[bytes]) -> str:
        """Make the project beside its place and move it there; why it could not be done."""
        config = own / "config.yaml"
        caches = {name: str(own / name) for name in ("cookiecutters_dir", "replay_dir")}
        config.write_text(yaml.safe_dump(caches), "utf-8")
        # An environment knows its folder: it is made last, in the project's place.
        answers = {key: str(value) for key, value in row.answers.items()} | {"create_venv": "false"}
        stamp = [sys.executable, "-m", "cookiecutter", "--no-input", "--config-file", str(config)]
        words = [f"{key}={value}" for key, value in answers.items()]
        command = [*stamp, "-o", str(own / "made"), str(self._template), *words]
        # What a failing hook makes cookiecutter leave behind goes with the rest.
        env = environment() | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(own))
        code, printed = self._children.run(command, own, log, env)
        if code:
            return f"cookiecutter ended with {code}: {_why(printed, log)}"
        project = own / "made" / row.slug
        create_venv = row.answers["create_venv"]
        _note(project / ".copier-answers.yml", self._origin | {"create_venv": create_venv})
        for command in _FIRST_COMMIT if self._git else ():
            code, printed = self._children.run(command, project, log)
            if code:
                return f"{' '.join(command[:2])} ended with {code}: {_why(printed, log)}"
        project.rename(target)
        if create_venv:
            code, printed = self._children.run([sys.executable, "bootstrap.py"], target, log)
            if code:
                return f"stamped; its first script makes the environment: {_why(printed, log)}"
        return ""


def stamp_all(
    rows: Sequence[Row],
    into: Path,
    *,
    source: str,
    git: bool,
    jobs: int,
    tell: Callable[[Stamped], Any],
) -> list[Stamped]:
    """Stamp all rows, from one clean copy of this template."""
    children = Children()
    into.mkdir(parents=True, exist_ok=True)
    # Beside the projects, so that a finished one is only moved.
    with tempfile.TemporaryDirectory(prefix=".stamping-", dir=into) as scratch:
        stamper = Stamper(Path(scratch), into, children, source=source, git=git)
        return in_parallel(rows, stamper.stamp, jobs, children, tell)


def described() -> str:
    """This clone's commit, as copier names it: by its tag, or how far it is from one."""
    return _git("describe", "--tags", "--always")


def address() -> str:
    """Where this clone came from, in a form that copier takes, or else its own path."""
    # The file that holds it is committed: no password.
    found = re.sub("^(https?://)[^/@]*@", r"\1", _git("config", "--get", "remote.origin.url"))
    if re.match("[a-z]+://", found) and not found.endswith(".git"):
        return f"git+{found}"
    return found if re.search("[@:]", found) else str((TEMPLATE / found).resolve())


def notes(version: str) -> list[str]:
    """What a person should know before stamping: updates are merged from a release's tag."""
    found = []
    if described() != f"v{version}":
        found.append(
            f"note: this clone is at {described() or 'no commit'}, not at the release v{version}."
        )
    if _git("status", "--porcelain", "--", *_STAMPED_FROM):
        found.append(
            "note: this clone has changes that are not committed. They are stamped, and the first "
            "update of each project will meet them as edits of its own."
        )
    return found


def need_a_clone() -> None:
    """Raises:
    Problem: this template is no git repository with a commit.
    """
    if not described():
        raise Problem(
            f"{TEMPLATE} is no git clone of the template, and updates go by its history. Clone it, "
            "and run this there."
        )


def need_a_committer(into: Path) -> None:
    """Raises:
    Problem: git does not know in whose name it shall commit.
    """
    into.mkdir(parents=True, exist_ok=True)
    command = ["git", "-c", "user.useConfigOnly=true", "var", "GIT_COMMITTER_IDENT"]
    done = subprocess.run(command, cwd=into, env=environment(), capture_output=True, text=True)
    if done.returncode:
        raise Problem(
            "git does not know who commits. Say it once, with\n"
            "    git config --global user.name ...\n    git config --global user.email ..."
        )


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(TEMPLATE), *arguments]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    return done.stdout.strip()


def _note(answers: Path, values: dict[str, str | bool]) -> None:
    """What cookiecutter could not know: it was given a copy, and makes no environment."""
    text = answers.read_text("utf-8")
    for key, value in values.items():
        if isinstance(value, str):
            shown = "'" + value.replace("'", "''") + "'"
        else:
            shown = str(value).lower()
        text = re.sub(rf"(?m)^{key}: .*$", lambda _, line=f"{key}: {shown}": line, text)
    answers.write_bytes(text.encode("utf-8"))


def _why(printed: str, log: IO[bytes]) -> str:
    """The line that says what went wrong, of what a command printed, or else of its log."""
    text = printed.strip() or Path(log.name).read_text("utf-8", "replace").strip()
    lines = text.splitlines() or ["it printed nothing"]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines)[-1].strip()
