"""`make lock`: resolves the lock files anew, on purpose.

Each is universal (every platform, Python 3.11 and newer), carries hashes, and names no package
index and no folder of the machine that made it, so that pip and uv take it anywhere.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parents[1]
PROJECT = TEMPLATE / "{{cookiecutter.project_slug}}"
BENCHMARKS = TEMPLATE / "benchmarks"

HEAD = {
    TEMPLATE / "requirements-dev.lock": (
        "# What the template's tests and its demo need, with hashes, for every platform. Moved on\n"
        "# purpose with `make lock`.\n"
    ),
    PROJECT / "requirements.lock": (
        "# Every package of this project, with hashes, for every platform. Do not edit: the\n"
        "# template moves it on purpose, from what pyproject.toml asks for.\n"
    ),
    BENCHMARKS / "requirements.lock": (
        "# What the benchmarks compare with, with hashes, for every platform. Moved on purpose with\n"
        "# `make lock`.\n"
    ),
}


def resolve(source: Path) -> str:
    """The pins for a pyproject.toml and its group `dev`."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "pyproject.toml"
        # A project's own name is an answer that is not given yet.
        copy.write_text(source.read_text("utf-8").replace("{{ cookiecutter.project_slug }}", "x"))
        uv = [str(Path(sys.executable).with_name("uv")), "pip", "compile", "--universal"]
        options = ["--python-version", "3.11", "--generate-hashes", "--group", f"{copy}:dev"]
        quiet = ["--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
        done = subprocess.run(
            [*uv, *options, *quiet, "--quiet", str(copy)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    return done.stdout


def main() -> None:
    """Resolve all, then write all: a failure leaves them as they were."""
    resolved = {lock: resolve(lock.with_name("pyproject.toml")) for lock in HEAD}
    for lock, pins in resolved.items():
        moved = not lock.exists() or lock.read_text("utf-8") != HEAD[lock] + pins
        if moved:
            lock.write_text(HEAD[lock] + pins, "utf-8")
        print(f"{lock.relative_to(TEMPLATE)}: {'moved' if moved else 'is the newest already'}")


if __name__ == "__main__":
    main()
