"""A project as it was stamped, beside this one, to which pipelines can be added."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from blueprint.pipelines import copies
from blueprint.pipelines.which import FIRST, PARTS
from runtime.project import ROOT

_MADE = {".blueprint", ".prefect", "__pycache__", ".ruff_cache", ".pytest_cache"}


def variable(name: str) -> str:
    """A variable of the manifest, as it is written there."""
    return f"{'{' * 2} ${name} {'}' * 2}"


def manifest() -> dict[str, Any]:
    """A manifest of the first pipeline alone: whatever became of this project's own."""
    job = {
        "command": f"{variable('PROJECT_PYTHON')} -m prefect.engine",
        "working_dir": variable("PROJECT_ROOT"),
        "env": {"BLUEPRINT_PROJECT": variable("PROJECT_ID")},
    }
    first = {
        "name": "production-etl",
        "entrypoint": f"{FIRST}.flow:{FIRST}",
        "parameters": {"source_url": "data/sample_orders.ndjson", "batch_size": 50000},
        "schedules": [{"slug": "production", "cron": "0 9 * * *", "timezone": "UTC"}],
        "work_pool": {"name": "a pool", "job_variables": job},
    }
    return {"name": "twin", "deployments": [first]}


class Twin:
    """The template's code of this project, with the first pipeline as it is shipped.

    The user's own pipelines, tests, manifest and variables have no part in it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        for room in ("blueprint", "ingest", "runtime"):
            shutil.copytree(ROOT / "src" / room, path / "src" / room, ignore=ignored)
        for name in ("__init__", *PARTS):
            self.write(f"src/{FIRST}/{name}.py", copies.shipped(name))
        (path / "tests").mkdir()
        for file in (ROOT / "tests" / "conftest.py", ROOT / "pyproject.toml", *ROOT.glob("*.lock")):
            shutil.copy2(file, path / file.relative_to(ROOT))
        self.write("prefect.toml", "[api]\nurl = 'http://127.0.0.1:9/api'\n")  # nobody is there
        self.write("prefect.yaml", yaml.safe_dump(manifest(), sort_keys=False))

    def write(self, name: str, text: str) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    def read(self, name: str) -> str:
        return (self.path / name).read_text("utf-8")

    @property
    def deployments(self) -> list[dict[str, Any]]:
        """Those of its prefect.yaml."""
        return yaml.safe_load(self.read("prefect.yaml"))["deployments"]

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if "PREFECT" not in name}
        return kept | {"PYTHONPATH": str(self.path / "src")}

    def python(self, *arguments: str, fails: bool = False) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.path,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert (done.returncode != 0) is fails and "Traceback" not in done.stdout, done.stdout
        return done.stdout

    def blueprint(self, *arguments: str, fails: bool = False) -> str:
        return self.python("-m", "blueprint", *arguments, fails=fails)

    def answered(self, meanwhile: str, *arguments: str, fails: bool = False) -> str:
        """A command that asks, as at a terminal; it is told yes, after some Python has run."""
        lines = "".join(f"    {line}\n" for line in meanwhile.splitlines())
        code = (
            "import builtins, runpy, sys, types\n"
            f"def answer(question):\n{lines}    return 'y'\n"
            "builtins.input = answer\n"
            "sys.stdin = types.SimpleNamespace(isatty=lambda: True)\n"
            f"sys.argv = ['blueprint', *{list(arguments)!r}]\n"
            "runpy.run_module('blueprint', run_name='__main__')\n"
        )
        return self.python("-c", code, fails=fails)

    def files(self) -> dict[str, bytes]:
        """Its files, without what a command keeps for itself."""
        paths = (path for path in self.path.rglob("*") if path.is_file())
        return {
            str(path.relative_to(self.path)): path.read_bytes()
            for path in paths
            if not _MADE & set(path.parts)
        }
