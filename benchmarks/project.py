"""The project that is measured: stamped from this template, with an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from measure import HERE, clean_environment

sys.path.insert(0, str(HERE.parent / "tools"))
from clean_copy import clean_copy  # noqa: E402

NAME = "measured-pipeline"


def stamp(scratch: Path, **answers: str) -> Path:
    """Stamp a project below `scratch`, as a user does, and return its folder."""
    template = clean_copy(scratch / "template")
    command = [sys.executable, "-m", "cookiecutter", "--no-input", "-o", str(scratch)]
    given = [f"{key}={value}" for key, value in {"project_slug": NAME, **answers}.items()]
    print("Stamping the project that is measured", flush=True)
    done = subprocess.run(
        [*command, str(template), *given],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0 or not python(scratch / NAME).exists():
        raise SystemExit(f"The project could not be stamped:\n{done.stdout}")
    return scratch / NAME


def add_extras(project: Path, *extras: str) -> None:
    """Give the project these of its extras, as its messages say."""
    settings = project / "pyproject.toml"
    text = settings.read_text("utf-8")
    settings.write_text(text.replace("extras = []", f"extras = {json.dumps(extras)}"), "utf-8")
    subprocess.run([python(project), "bootstrap.py"], cwd=project, env=environment(), check=True)


def python(project: Path) -> Path:
    """The project's interpreter."""
    return project / ".venv" / "bin" / "python"


def environment(home: Path | None = None) -> dict[str, str]:
    """What a command of the project runs in: uv on the PATH, and a PREFECT_HOME if given."""
    kept = clean_environment()
    path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
    return {**kept, "PATH": path, **({"PREFECT_HOME": str(home)} if home else {})}
