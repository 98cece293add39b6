"""A machine of its own for bootstrap.py and the hooks: what is on its PATH, and how it answers.

Its `uv` makes a bare environment and installs nothing: what is tested is what is done about it, in
a fraction of a second.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conftest import BakedProject, not_run

# Logs how it was called; makes environments with the Python that it is given; installs nothing.
UV = """#!/bin/sh
echo "$*" >> "{log}"
[ "$1" != venv ] || exec "{python}" -m venv --without-pip "$4"
"""
BROKEN_UV = """#!/bin/sh
[ "$1" != --version ] || exit 0
echo "error: invalid peer certificate: UnknownIssuer" >&2
exit 2
"""
SHIM = """#!/bin/sh
echo "pyenv: $0: command not found" >&2
exit 127
"""
OLD_PYTHON = """#!/bin/sh
echo '["3.10", "/usr/bin/python3.10", true]'
"""


def program(folder: Path, name: str, text: str) -> Path:
    """A program of that name in a folder, which is made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, "utf-8")
    path.chmod(0o755)
    return path


class Machine:
    """A machine with a PATH and a home of its own, on which a project is bootstrapped."""

    def __init__(self, folder: Path, project: Path) -> None:
        self.bin, self.project, self.log = folder / "bin", project, folder / "uv.log"
        self.env = {"PATH": f"{self.bin}:/usr/bin:/bin", "HOME": str(folder), "PYENV_ROOT": "/no"}

    @classmethod
    def fresh(cls, folder: Path, template: Path) -> Machine:
        """With a project of bootstrap.py and what it reads, in a folder with a hard name."""
        project = folder / """Ann's "Q3" füß $(id)"""
        project.mkdir()
        source = next(template.glob("*/bootstrap.py")).parent
        for path in (source / "bootstrap.py", source / "pyproject.toml", *source.glob("*.lock")):
            shutil.copy(path, project)
        return cls(folder / "machine", project)

    def with_uv(self, text: str = UV) -> Machine:
        program(self.bin, "uv", text.format(log=self.log, python=sys.executable))
        return self

    def bootstrap(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "bootstrap.py", *arguments]
        done = BakedProject(self.project).run(command, self.env | env)
        assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
        return done

    def begin(self, out: Path) -> subprocess.Popen[bytes]:
        """Bootstrap while the test goes on; what it says goes into a file, its signals are its own."""
        with out.open("wb") as file:
            return subprocess.Popen(
                [sys.executable, "bootstrap.py"],
                cwd=self.project,
                env={**os.environ, **self.env, "PYTHONUNBUFFERED": "1"},
                stdout=file,
                start_new_session=True,
            )

    def installs(self) -> int:
        """How often the locked packages were installed."""
        return self.log.read_text().count("requirements.lock") if self.log.exists() else 0


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """What is done in the block, by the processes that it waits for too, takes no more of the CPU.

    By the clock, everything is slow on a machine that has other things to do.
    """
    before = os.times()
    yield
    used = sum(os.times()[:4]) - sum(before[:4])
    assert used < seconds, f"took {used:.1f} s of CPU"


def old_python(oldest: str, newest: str) -> str:
    """A Python of such an age, that runs."""
    names = [f"3.{minor}" for minor in range(int(oldest[2:]), int(newest[2:]) + 1)]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = [str(path) for name in names for path in pyenv.glob(f"{name}.*/bin/python")]
    found += [path for name in names if (path := shutil.which(f"python{name}"))]
    for path in found:
        if subprocess.run([path, "-c", ""], capture_output=True).returncode == 0:
            return path
    not_run(f"no Python {oldest} to {newest} is installed")
    raise AssertionError
