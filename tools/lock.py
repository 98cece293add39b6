"""`make lock`: resolves the lock files anew, on purpose.

Each is universal (every platform, Python 3.11 and newer), carries hashes, and names no package
index and no folder of the machine that made it, so that pip and uv take it anywhere. The lock of
an extra holds what that adds to the project's own lock, and is installed together with it.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
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
HEAD_OF_TESTS = (
    "# What {tests} needs besides {besides},\n"
    "# with hashes, for every platform. Moved on purpose with `make lock`.\n"
)
HEAD_OF_COPIER = (
    "# What `blueprint update` merges with, in an environment of its own, with hashes, for every\n"
    "# platform. Do not edit: the template moves it on purpose.\n"
)
HEAD_OF_EXTRA = (
    "# What the extra `{extra}` adds to requirements.lock. Do not edit: the template moves it on\n"
    "# purpose, from what pyproject.toml asks for.\n"
)


def compile_pins(folder: Path, *sources: str) -> str:
    """The pins that uv finds for these sources, given by name in a folder."""
    uv = [str(Path(sys.executable).with_name("uv")), "pip", "compile", "--universal"]
    options = ["--python-version", "3.11", "--generate-hashes"]
    quiet = ["--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
    done = subprocess.run(
        [*uv, *options, *quiet, "--quiet", *sources],
        cwd=folder,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout


def resolve(source: Path) -> str:
    """The pins for a pyproject.toml and its group `dev`, without its extras."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "pyproject.toml"
        # A project's own name is an answer that is not given yet.
        copy.write_text(source.read_text("utf-8").replace("{{ cookiecutter.project_slug }}", "x"))
        return compile_pins(copy.parent, "--group", "pyproject.toml:dev", copy.name)


def resolve_extra(needs: list[str], base: str = "") -> str:
    """The pins for an extra that the base does not hold, chosen to go with the base's."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "base.lock").write_text(base, "utf-8")
        (folder / "needs.in").write_text("\n".join(needs), "utf-8")
        held = [f"--no-emit-package={name}" for name in re.findall("(?m)^([a-z0-9.-]+)==", base)]
        return compile_pins(folder, "--constraint", "base.lock", *held, "needs.in")


def main() -> None:
    """Resolve all, then write all: a failure leaves them as they were."""
    files = {lock: head + resolve(lock.with_name("pyproject.toml")) for lock, head in HEAD.items()}
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))
    base = files[PROJECT / "requirements.lock"]
    own = tomllib.loads((TEMPLATE / "pyproject.toml").read_text("utf-8"))
    # Each goes with those before it: all of them are installed into one environment.
    base_of_tests, besides = files[TEMPLATE / "requirements-dev.lock"], "requirements-dev.lock"
    for group, tests in (("engine", "tests/engine"), ("browser", "tests/test_ui.py")):
        lock = TEMPLATE / f"requirements-{group}.lock"
        pins = resolve_extra(own["dependency-groups"][group], base_of_tests)
        files[lock] = HEAD_OF_TESTS.format(tests=tests, besides=besides) + pins
        base_of_tests, besides = base_of_tests + pins, f"{besides}, -{group}.lock"
    for extra, needs in settings["project"]["optional-dependencies"].items():
        lock = PROJECT / f"requirements-{extra}.lock"
        files[lock] = HEAD_OF_EXTRA.format(extra=extra) + resolve_extra(needs, base)
    pins = resolve_extra(settings["dependency-groups"]["update"])
    files[PROJECT / "src" / "blueprint" / "updating" / "copier.lock"] = HEAD_OF_COPIER + pins
    for lock, text in files.items():
        moved = not lock.exists() or lock.read_text("utf-8") != text
        if moved:
            lock.write_text(text, "utf-8")
        print(f"{lock.relative_to(TEMPLATE)}: {'moved' if moved else 'is the newest already'}")


if __name__ == "__main__":
    main()
