"""Run a candidate in a process of its own and look at its time and its memory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from job import Job

HERE = Path(__file__).resolve().parent
_PAUSE = 0.02  # seconds between two looks at the memory
_LOOKS = 10  # looks until the children are listed anew, which takes some milliseconds


@dataclass(frozen=True)
class Measured:
    """One load: `peak` is the most resident memory of the process and its children, in bytes."""

    seconds: float
    peak: int
    rows: int


class Failed(Exception):
    """A candidate ended without a result; the message is the end of what it printed."""


def clean_environment() -> dict[str, str]:
    """This shell's environment without what makes Python slower or another one."""
    unwanted = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "VIRTUAL_ENV")
    return {
        name: value
        for name, value in os.environ.items()
        if name not in unwanted and not name.startswith("PREFECT_")
    }


def measure(python: Path, candidate: str, job: Job) -> Measured:
    """Let `candidate` do `job` in a new process of `python`. Raises Failed."""
    command = [str(python), str(HERE / "child.py"), candidate, job.dump()]
    os.sync()  # nobody pays for what another has written
    with (
        (job.work / "errors.txt").open("w+") as errors,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=clean_environment(),
            cwd=job.work,
            text=True,
        ) as child,
    ):
        peak = _Peak(child.pid)
        if _heard(child, "ready"):
            with peak:
                child.stdin.write("go\n")
                child.stdin.flush()
                _heard(child, "done")
        child.communicate()
        if child.returncode != 0:
            errors.seek(0)
            raise Failed(f"{candidate} ended with {child.returncode}:\n{errors.read()[-2000:]}")
    told = json.loads((job.work / "result.json").read_text("utf-8"))
    return Measured(told["seconds"], peak.bytes, told["rows"])


def _heard(child: subprocess.Popen[str], word: str) -> bool:
    """Read what the child prints until it says `word`; False where it ends without."""
    return any(line.strip() == word for line in child.stdout)


class _Peak:
    """The most memory that a process and its children have held while this was entered."""

    def __init__(self, pid: int) -> None:
        self.bytes = 0
        self._process = psutil.Process(pid)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        looks = 0
        family: list[psutil.Process] = []
        while True:
            if looks % _LOOKS == 0:
                family = [self._process, *_children(self._process)]
            looks += 1
            self.bytes = max(self.bytes, sum(map(_resident, family)))
            if self._over.wait(_PAUSE):
                return


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _resident(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.NoSuchProcess:
        return 0


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder on the disk of the data, removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=HERE / ".cache"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The files of `folder` over HTTP; gives the address to which a name is added."""
    command = [sys.executable, str(HERE / "serve.py"), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        finally:
            server.terminate()
