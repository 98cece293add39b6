"""Histories: a template that grows from version to version, and projects stamped from it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from clean_copy import clean_copy
from cookiecutter.main import cookiecutter

SLUG = "{{cookiecutter.project_slug}}"
_WHO = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "t"), ("EMAIL", "t@example.com"))
}


def git(folder: Path, *arguments: str) -> str:
    """What git prints, with no setting of this machine's."""
    done = subprocess.run(
        ["git", "-c", "init.defaultBranch=main", *arguments],
        cwd=folder,
        env=os.environ | _WHO | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr}"
    return done.stdout


def commit(folder: Path, message: str = "edit") -> None:
    """Commit all that is there."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", message)


def repository(folder: Path) -> Path:
    """Make a folder a repository with all of it committed."""
    git(folder, "init", "--quiet")
    commit(folder, "stamped")
    return folder


class Template:
    """This template in a repository of its own, tagged v0.1.0."""

    def __init__(self, folder: Path) -> None:
        self.path = clean_copy(folder)
        self._version = "0.1.0"
        git(self.path, "init", "--quiet")
        self.release("0.1.0")

    def file(self, name: str) -> Path:
        """A file of the stamped project, as the template has it."""
        return self.path / SLUG / name

    def release(self, version: str | None, change: Callable[[], None] | None = None) -> None:
        """Change the template and commit it; tag it as this version, or leave it untagged."""
        if change:
            change()
        if version:
            settings = self.path / "cookiecutter.json"
            text = settings.read_text("utf-8")
            old, new = (f'"_template_version": "{one}"' for one in (self._version, version))
            assert old in text
            settings.write_text(text.replace(old, new), "utf-8")
            self._version = version
        git(self.path, "add", "--all")
        git(self.path, "commit", "--quiet", "--allow-empty", "-m", version or "between")
        if version:
            git(self.path, "tag", f"v{version}")

    def stamp(self, folder: Path, **answers: str | bool) -> Path:
        """A project of the version that is checked out, not committed."""
        made = cookiecutter(
            str(self.path),
            no_input=True,
            extra_context={"create_venv": False} | answers,
            output_dir=str(folder),
            config_file=str(self._settings()),
        )
        return Path(made)

    def _settings(self) -> Path:
        """cookiecutter's own folders beside the template, not in this machine's home."""
        beside = self.path.with_name(f"{self.path.name}-cookiecutter")
        beside.mkdir(exist_ok=True)
        config = beside / "config.yaml"
        config.write_text(
            f"cookiecutters_dir: {beside / 'templates'}\nreplay_dir: {beside / 'replay'}\n", "utf-8"
        )
        return config


def replace(path: Path, old: str, new: str) -> None:
    """Edit a file in one place."""
    text = path.read_text("utf-8")
    assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {path}"
    path.write_text(text.replace(old, new), "utf-8")
