"""Stamps a project, makes its environment and runs its own checks: python tools/bake.py awkward

For the systems that the tests do not run on: the workflow `checks` does it on Windows and macOS.
Needs what requirements-dev.lock holds.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from clean_copy import clean_copy
from cookiecutter.main import cookiecutter

ANSWERS: dict[str, dict[str, Any]] = {
    "default": {},
    "awkward": {
        "project_name": """Müller's "Q3" Ledger \\ 日本語 🚀""",
        "project_slug": "A.b_c-1",
        "work_pool_name": """it's the "pool": 1""",
        "schedule": "*/15 8-18 * * MON-FRI",
        "timezone": "Asia/Kolkata",
        "prefect_api_url": "http://127.0.0.1:4299/api",
    },
}
CHECKS = (
    ("ruff", "format", "--check", "."),
    ("ruff", "check", "."),
    ("pyrefly", "check"),
    ("blueprint", "lint"),
    ("pytest",),
)
# What a shell may hold and a stamped project's commands must not see.
FOREIGN = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "PREFECT_API_URL")


def stamp(folder: Path, answers: dict[str, Any]) -> Path:
    """A stamped project with its environment, from a clean copy of the template."""
    template = clean_copy(folder / "template" / "prefect-blueprint")
    made = cookiecutter(
        str(template), no_input=True, extra_context=answers, output_dir=str(folder / "stamped")
    )
    return Path(made)


def failing(project: Path, checks: tuple[tuple[str, ...], ...]) -> list[str]:
    """Which of a project's own checks fail; each prints what it prints."""
    home = {"PREFECT_HOME": str(project.parent / "prefect")}
    environ = {key: value for key, value in os.environ.items() if key not in FOREIGN} | home
    tools = project / ".venv" / ("Scripts" if os.name == "nt" else "bin")
    failed = []
    for tool, *arguments in checks:
        shown = " ".join((tool, *arguments))
        print(f"\n== {shown}", flush=True)
        if subprocess.run([tools / tool, *arguments], cwd=project, env=environ).returncode:
            failed.append(shown)
    return failed


def main(arguments: list[str] | None = None) -> int:
    """Stamp with these answers, and run all checks; 0 if all is well."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("answers", choices=sorted(ANSWERS))
    answers = ANSWERS[parser.parse_args(arguments).answers]
    # Windows keeps a file that is open, such as a log, from being removed.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        project = stamp(Path(scratch).resolve(), answers)
        if not (project / ".venv" / "blueprint.json").exists():
            print("\nThe environment was not made: see above.", file=sys.stderr)
            return 1
        failed = failing(project, CHECKS)
    print(f"\nFailed: {', '.join(failed)}" if failed else "\nAll checks of the project pass.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
