"""Stamping for tests: always from a clean copy of the template, never with an unknown answer."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from cookiecutter.main import cookiecutter

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
from clean_copy import clean_copy  # noqa: E402

if TYPE_CHECKING:
    from living import Living, Source
    from machines import Machine

# A script that runs the tests with `&` has SIGINT ignored, which whatever is started inherits: no
# Ctrl-C would end it, and no SIGTERM a Prefect worker, which makes the one of the other.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What a developer's shell may hold and a stamped project's commands must not see.
FOREIGN = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "PREFECT_API_URL")


def not_run(reason: str) -> None:
    """This machine lacks what the test needs: said by name, and a failure where CI runs it."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"NOT RUN: {reason}")
    pytest.skip(f"NOT RUN: {reason}")


def bare_environment() -> dict[str, str]:
    """The environment that the tests run in, less what is of no business to a project."""
    return {key: value for key, value in os.environ.items() if key not in FOREIGN}


@dataclass
class BakedProject:
    """A stamped project."""

    path: Path

    def run(
        self, command: list[str], env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the project, without the environment that the tests run in."""
        environ = bare_environment() | (env or {})
        return subprocess.run(command, cwd=self.path, env=environ, capture_output=True, text=True)

    def files(self) -> list[Path]:
        """All files that were stamped: what a command makes afterwards is not among them."""
        made = {".venv", "__pycache__"}
        files = (path for path in self.path.rglob("*") if path.is_file())
        return sorted(path for path in files if not made & set(path.parts))


@pytest.fixture(autouse=True)
def paths_as_they_were() -> Iterator[None]:
    """A hook that runs in this process leaves its folder in sys.path; no test after it sees that."""
    before = [*sys.path]
    yield
    sys.path[:] = before


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


@pytest.fixture
def small(template: Path, tmp_path: Path) -> Path:
    """A repository, without a tag, of the template without most of what it stamps.

    Where the history of a template is the point. Its bootstrap.py only leaves a mark in .venv.
    """
    kept = {"README.md", ".copier-answers.yml", ".gitignore", "pyproject.toml", "prefect.yaml"}
    copy = Path(shutil.copytree(template, tmp_path / "prefect-blueprint"))
    project = next(copy.glob("*/bootstrap.py")).parent
    for path in project.iterdir():
        if path.name not in kept:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    made = "from pathlib import Path\n\nPath('.venv').mkdir()\nPath('.venv', 'made').touch()\n"
    (project / "bootstrap.py").write_text(made, "utf-8")
    commit_all(copy, "First")
    return copy


def add_line(template: Path, line: str, tag: str = "") -> None:
    """A commit that adds a line to the stamped README."""
    with next(template.glob("*/README.md")).open("a", encoding="utf-8") as readme:
        readme.write(f"{line}\n")
    commit_all(template, line, tag=tag)


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
def stamp_from(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Stamp from any address, with cookiecutter's options; gives the project's path."""
    user = tmp_path_factory.mktemp("cookiecutter")
    config = user / "config.yaml"
    settings = {
        "cookiecutters_dir": str(user / "templates"),
        "replay_dir": str(user / "replay"),
        "abbreviations": {"our": "file://{0}"},
    }
    config.write_text(yaml.safe_dump(settings), "utf-8")

    def stamp(address: str, folder: Path, **options: Any) -> Path:
        answers = {"create_venv": False} | options.pop("answers", {})
        options = {"no_input": True, "config_file": str(config)} | options
        made = cookiecutter(address, extra_context=answers, output_dir=str(folder), **options)
        return Path(made)

    return stamp


@pytest.fixture(scope="session")
def stamp_into(
    template: Path, answers_of: Callable[..., dict[str, Any]], stamp_from: Callable[..., Path]
) -> Callable[..., Path]:
    """Stamp a project into a folder of one's own, with -f if asked; gives the project's path."""

    def stamp(folder: Path, *, overwrite: bool = False, **answers: Any) -> Path:
        given = answers_of(answers)
        return stamp_from(str(template), folder, answers=given, overwrite_if_exists=overwrite)

    return stamp


@pytest.fixture(scope="module")
def scratch(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Path]:
    """A folder for all the tests of a file; no process that belongs to it outlives them."""
    # Not above: living.py cannot be imported on Windows, where tests without a living project run.
    from living import nothing_left_running

    name = request.path.stem.removeprefix("test_").replace("_", " ")
    path = tmp_path_factory.mktemp(f"the {name}")
    with nothing_left_running(path):
        yield path


@pytest.fixture(scope="module")
def source(template: Path) -> Iterator[Source]:
    """The bundled sample over HTTP."""
    from living import Source

    served = Source(next(template.glob("*/data/sample_orders.ndjson")).read_bytes())
    yield served
    served.close()


@pytest.fixture(scope="module")
def stamp_living(stamp_into: Callable[..., Path], scratch: Path) -> Callable[..., Living]:
    """Stamp a project with a ready environment into a folder of `scratch`, with a home of its own.

    Its server is at a free port, or at that of the project `beside` which it is to live.
    """
    from living import Living, free_port

    def stamped(folder: str, *, beside: Living | None = None, **answers: Any) -> Living:
        api_url = beside.api_url if beside else f"http://127.0.0.1:{free_port()}/api"
        answers = {"prefect_api_url": api_url, "create_venv": True} | answers
        path = stamp_into(scratch / folder, **answers)
        if "source_url" in answers:
            # It serves the sample: a contract that somebody has edited is kept, and fits.
            contract = path / "src" / "data_pipeline" / "contract.py"
            text = contract.read_text("utf-8")
            assert '"""One order."""' in text
            contract.write_text(text.replace("One order.", "One order of ours."), "utf-8")
        return Living(path, answers["prefect_api_url"], scratch / "home" / folder)

    return stamped


@pytest.fixture
def machine(tmp_path: Path, template: Path) -> Machine:
    """A machine with a project that is yet to be bootstrapped."""
    from machines import Machine

    return Machine.fresh(tmp_path, template)


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
