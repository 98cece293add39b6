"""Histories: a template that grows from version to version, and projects stamped from it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from conftest import commit_all

SLUG = "{{cookiecutter.project_slug}}"
_SMALL = r"[^/]+$|src/data_pipeline/|src/ingest/na|src/blueprint/cuts|docs/[ST][AO]|scripts/c"


def git(folder: Path, *arguments: str) -> str:
    """What git prints, with no setting of this machine's."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env=os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr}"
    return done.stdout


def replace(path: Path, old: str, new: str) -> None:
    """Edit a file in one place."""
    text = path.read_text("utf-8")
    assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {path}"
    path.write_text(text.replace(old, new), "utf-8")


@contextmanager
def edited(path: Path, old: str, new: str) -> Iterator[None]:
    """Edit a file in one place, for as long as the block lasts."""
    before = path.read_bytes()
    replace(path, old, new)
    try:
        yield
    finally:
        path.write_bytes(before)


class Template:
    """A copy of a template's repository, as v0.1.0, to make further versions of."""

    def __init__(self, repository: Path, folder: Path) -> None:
        self.path = Path(shutil.copytree(repository, folder))
        for tag in git(self.path, "tag").split():
            git(self.path, "tag", "--delete", tag)
        self.release("0.1.0")

    @classmethod
    def small(cls, released: Path, folder: Path) -> Template:
        """One of the few files that the tests edit: to render all costs seconds at each update."""
        whole = folder.with_name(f"{folder.name} whole")
        shutil.copytree(released, whole, ignore=shutil.ignore_patterns(".git"))
        for path in (whole / SLUG).rglob("*"):
            name = path.relative_to(whole / SLUG).as_posix()
            if path.is_file() and not re.match(_SMALL, name):
                path.unlink()
            elif path.suffix == ".lock":
                path.write_text("# Every package\n", "utf-8")
        commit_all(whole, "Release")
        small = cls(whole, folder)
        shutil.rmtree(whole)
        return small

    def file(self, name: str) -> Path:
        """A file of the stamped project, as the template has it."""
        return self.path / SLUG / name

    def release(self, version: str, change: Callable[[], None] | None = None) -> None:
        """Change the template and commit it, tagged; without a version it stays untagged."""
        if change:
            change()
        if version:
            settings = self.path / "cookiecutter.json"
            text = settings.read_text("utf-8")
            found = re.subn('("_template_version": )".*?"', rf'\1"{version}"', text)
            assert found[1] == 1
            settings.write_text(found[0], "utf-8")
        git(self.path, "add", "--all")
        who = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
        git(self.path, *who, "commit", "--quiet", "--allow-empty", "-m", version or "Between")
        if version:
            git(self.path, "tag", f"v{version}")


def comes_from(template: Template, project: Path) -> Path:
    """Have a stamped project come from this template."""
    answers = project / ".copier-answers.yml"
    text = answers.read_text("utf-8")
    for key, value in (("_src_path", template.path), ("_commit", "v0.1.0")):
        text, count = re.subn(f"(?m)^{key}: .*$", f"{key}: '{value}'", text)
        assert count == 1
    answers.write_text(text, "utf-8")
    return project


def project_of(template: Template, stamped: Path, folder: Path) -> Path:
    """A copy of a stamped project as if it came from this template; nothing is committed yet.

    To stamp each one anew would take seconds, and give the very same files.
    """
    return comes_from(template, Path(shutil.copytree(stamped, folder, symlinks=True)))
