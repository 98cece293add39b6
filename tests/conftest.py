"""Stamping for tests: always from a clean copy of the template, never with an unknown answer."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from cookiecutter.main import cookiecutter

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
from clean_copy import clean_copy  # noqa: E402

# What a developer's shell may hold and a stamped project's commands must not see.
FOREIGN = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "PREFECT_API_URL")


def not_run(reason: str) -> None:
    """This machine lacks what the test needs: said by name, and a failure where CI runs it."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"NOT RUN: {reason}")
    pytest.skip(f"NOT RUN: {reason}")


@dataclass
class BakedProject:
    """A stamped project."""

    path: Path

    def run(
        self, command: list[str], env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the project, without the environment that the tests run in."""
        environ = {key: value for key, value in os.environ.items() if key not in FOREIGN}
        return subprocess.run(
            command, cwd=self.path, env=environ | (env or {}), capture_output=True, text=True
        )

    def files(self) -> list[Path]:
        """All files that were stamped: what a command makes afterwards is not among them."""
        made = {".venv", "__pycache__"}
        files = (path for path in self.path.rglob("*") if path.is_file())
        return sorted(path for path in files if not made & set(path.parts))


@pytest.fixture(scope="session", autouse=True)
def _own_temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Cookiecutter leaves its copy of the template behind when a hook stops it."""
    folder = str(tmp_path_factory.mktemp("temporary"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", folder)
        patch.setenv("TMPDIR", folder)
        yield


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template as git sees it: no environment, cache or leftover beside the hooks."""
    return clean_copy(tmp_path_factory.mktemp("template") / "prefect-blueprint")


def commit_all(repository: Path, message: str, *, tag: str = "") -> None:
    """Commit whatever stands in a repository, which is made if it is none yet; tag it if asked."""
    commands = [["add", "--all"], ["commit", "-qm", message], *([["tag", tag]] if tag else [])]
    if not (repository / ".git").exists():
        commands.insert(0, ["init", "-q", "-b", "main"])
    for command in commands:
        who = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
        subprocess.run(["git", *who, *command], cwd=repository, check=True)


@pytest.fixture(scope="session")
def released(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template in a repository of its own, tagged as its version says. Copy before editing."""
    copy = tmp_path_factory.mktemp("released") / "prefect-blueprint"
    shutil.copytree(template, copy)
    version = json.loads((copy / "cookiecutter.json").read_text("utf-8"))["_template_version"]
    commit_all(copy, "Release", tag=f"v{version}")
    return copy


@pytest.fixture(scope="session")
def answers_of(template: Path) -> Callable[..., dict[str, Any]]:
    """Check that answers are to questions that exist: cookiecutter ignores all others."""
    questions = json.loads((template / "cookiecutter.json").read_text("utf-8"))

    def checked(answers: dict[str, Any]) -> dict[str, Any]:
        unknown = [key for key in answers if key not in questions or key.startswith("_")]
        assert not unknown, f"no such question: {unknown}"
        return {"create_venv": False} | answers

    return checked


@pytest.fixture(scope="session")
def stamp_into(
    template: Path,
    answers_of: Callable[..., dict[str, Any]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Path]:
    """Stamp a project into a folder of one's own, with -f if asked; gives the project's path."""
    user = tmp_path_factory.mktemp("cookiecutter")
    config = user / "config.yaml"
    settings = {"cookiecutters_dir": str(user / "templates"), "replay_dir": str(user / "replay")}
    config.write_text(yaml.safe_dump(settings), "utf-8")

    def stamp(folder: Path, *, overwrite: bool = False, **answers: Any) -> Path:
        made = cookiecutter(
            str(template),
            no_input=True,
            extra_context=answers_of(answers),
            output_dir=str(folder),
            overwrite_if_exists=overwrite,
            config_file=str(config),
        )
        return Path(made)

    return stamp


@pytest.fixture
def bake(
    cookies: Any, template: Path, answers_of: Callable[..., dict[str, Any]]
) -> Callable[..., BakedProject]:
    """Stamp a project that must succeed; its environment is made only where it is asked for."""

    def bake(**answers: Any) -> BakedProject:
        result = cookies.bake(extra_context=answers_of(answers), template=str(template))
        assert result.exception is None, result.exception
        return BakedProject(result.project_path)

    return bake


@pytest.fixture
def refuse(
    cookies: Any,
    template: Path,
    answers_of: Callable[..., dict[str, Any]],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> Callable[..., str]:
    """Stamp a project that must be refused before a file is written; gives what was said."""

    def refuse(**answers: Any) -> str:
        capfd.readouterr()
        result = cookies.bake(extra_context=answers_of(answers), template=str(template))
        assert result.exception is not None, "it was accepted"
        written = [path for path in (tmp_path / "cookies").rglob("*") if path.is_file()]
        assert not written, written
        return capfd.readouterr().err

    return refuse
