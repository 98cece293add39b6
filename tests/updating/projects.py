"""Projects in git histories that `blueprint` updates: how they are asked, edited and looked at."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from conftest import bare_environment
from histories import Template, git, replace

ANSWERS = {
    "project_slug": "orders",
    "work_pool_name": "it's the pool",
    "timezone": "Europe/Berlin",
}

# The tools' own code, upon another project's folder: most have no more files than are looked at.
ELSEWHERE = """
import sys, pathlib, runtime.project
runtime.project.ROOT = pathlib.Path(sys.argv.pop(1))
from blueprint.cli import main
main()
"""


@dataclass
class Project:
    """A project in a git history; `blueprint` is the tools'."""

    path: Path
    tools: Path
    temporary: Path

    def command(self, *arguments: str) -> list[str]:
        python = str(self.tools / ".venv" / "bin" / "python")
        return [python, "-c", ELSEWHERE, str(self.path), *arguments]

    def environment(self, **more: str) -> dict[str, str]:
        return (
            bare_environment()
            | {"TMPDIR": str(self.temporary), "GIT_CONFIG_GLOBAL": os.devnull}
            | more
        )

    def blueprint(self, *arguments: str, code: int = 0, **more: str) -> str:
        """What a command prints, which ends with this code and leaves no scratch folder."""
        done = subprocess.run(
            self.command(*arguments),
            cwd="/",
            env=self.environment(**more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == code, done.stdout
        assert "Traceback" not in done.stdout
        assert list(self.temporary.iterdir()) == []
        return done.stdout

    def state(self) -> dict[str, tuple[int, bytes]]:
        """Mode and bytes of every file, git's index among them; not what git keeps besides."""
        left_out = {".venv", ".blueprint", "__pycache__"}
        files = [path for path in self.path.rglob("*") if not left_out & set(path.parts)]
        return {
            str(path.relative_to(self.path)): (path.stat().st_mode, path.read_bytes())
            for path in files
            if path.is_file() and (".git" not in path.parts or path.name == "index")
        }

    def status(self) -> list[str]:
        return git(self.path, "status", "--porcelain").splitlines()

    def read(self, name: str) -> str:
        return (self.path / name).read_text("utf-8")

    def write(self, name: str, text: str) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def at(path: Path, tools: Path) -> Project:
    """The project in a folder, with the tools that all of them share."""
    (path / ".blueprint").mkdir()
    (path / ".blueprint" / "copier").symlink_to(tools / ".blueprint" / "copier")
    temporary = path.with_name(f"{path.name}-temporary")
    temporary.mkdir()
    return Project(path, tools, temporary)


def edit(path: Path) -> None:
    """What a team does to its project: in the middle of files, new ones, deleted ones."""
    replace(path / "src/data_pipeline/transform.py", "import duckdb\n", "# Ours.\nimport duckdb\n")
    replace(path / "prefect.yaml", "batch_size: 50000", "batch_size: 777")
    replace(path / "README.md", "## Make it yours", "## Ours to make")
    (path / "docs/TARGETS.md").unlink()
    (path / "docs/Übersicht neu.md").write_text("# Ours\n", "utf-8")
    (path / "docs/picture.png").write_bytes(b"\x89PNG\x00\xff\r\n")
    (path / "scripts/ours.sh").write_text("#!/bin/sh\n", "utf-8")
    (path / "scripts/ours.sh").chmod(0o755)
    ignored = {".env": "PREFECT_API_KEY=x\n", "data/warehouse.duckdb": "rows", ".venv/x": "y"}
    for name, text in ignored.items():
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_text(text, "utf-8")


def grow(upstream: Template) -> None:
    """What a template does from one version to the next, also in files that the team edits."""
    replace(
        upstream.file("prefect.yaml"),
        "collision_strategy: ENQUEUE",
        "collision_strategy: CANCEL_NEW",
    )
    replace(upstream.file("README.md"), "## Check it", "## Check it all")
    replace(upstream.file("docs/TARGETS.md"), "# Targets\n", "# All targets\n")
    upstream.file("src/ingest/news.py").write_text('"""New."""\n', "utf-8")
    upstream.file("docs/SOURCES.md").unlink()
    upstream.file("scripts/cleanup.sh").chmod(0o644)


def assert_edits_are_there(project: Project) -> None:
    assert "\n# Ours.\nimport duckdb\n" in project.read("src/data_pipeline/transform.py")
    assert "batch_size: 777" in project.read("prefect.yaml")
    assert "## Ours to make" in project.read("README.md")
    assert not (project.path / "docs/TARGETS.md").exists()
    assert project.read("docs/Übersicht neu.md") == "# Ours\n"
    assert (project.path / "docs/picture.png").read_bytes() == b"\x89PNG\x00\xff\r\n"
    assert (project.path / "scripts/ours.sh").stat().st_mode & 0o111
    assert project.read(".env") == "PREFECT_API_KEY=x\n"
    assert project.read("data/warehouse.duckdb") == "rows"
    assert project.read(".venv/x") == "y"
