"""Commands of many threads, all of which end when one Ctrl-C says so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, TypeVar

import psutil

_GRACE = 10.0
"""Seconds that a command has to end by itself before it is killed."""

# What of this shell must not reach a project's commands: another project's settings and server,
# another environment, another repository (git sets these for its hooks).
_FOREIGN = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE")
_OF_GIT = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY")

Item = TypeVar("Item")
Result = TypeVar("Result")


class Stopped(Exception):
    """The fleet is being stopped: whoever waits for a command has nothing to report."""


class Children:
    """The commands that are at work."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._alive: set[subprocess.Popen[bytes]] = set()
        self._stopping = False

    def run(
        self,
        command: Sequence[str] | str,
        cwd: Path,
        log: IO[bytes],
        env: dict[str, str] | None = None,
        seconds: float | None = None,
    ) -> tuple[int, str]:
        """Run a command, a text in the shell; its exit code, and what it printed, as in the log.

        Raises:
            OSError: there is no such command.
            Stopped: the fleet was stopped.
            TimeoutError: it took longer than `seconds`, and was ended.
        """
        child = self._started(command, cwd, log, environment() if env is None else env)
        try:
            printed = child.communicate(timeout=seconds)[0]
        except subprocess.TimeoutExpired:
            _end([child])
            raise TimeoutError(f"it took longer than {seconds:.0f} s") from None
        finally:
            with self._lock:
                self._alive.discard(child)
        log.write(printed)
        log.flush()
        if self._stopping:
            raise Stopped
        return child.returncode, printed.decode("utf-8", "replace")

    def _started(
        self, command: Sequence[str] | str, cwd: Path, log: IO[bytes], env: dict[str, str]
    ) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._stopping:
                raise Stopped
            child = subprocess.Popen(
                command,
                shell=isinstance(command, str),
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                # Ctrl-C reaches this process alone, which then ends the others with all they started.
                start_new_session=True,
            )
            self._alive.add(child)
        return child

    def stop(self) -> None:
        """End what is at work; nothing is begun any more."""
        with self._lock:
            self._stopping = True
            _end(self._alive)


def environment() -> dict[str, str]:
    """What a project's commands, and git, shall see of this shell."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PREFECT_") and name not in (*_FOREIGN, *_OF_GIT)
    }
    # uv lies beside this interpreter, and bootstrap.py looks for it on the PATH: behind the rest, as
    # a project's checks shall not meet this environment's tools.
    path = os.pathsep.join([kept.get("PATH", os.defpath), str(Path(sys.executable).parent)])
    # Nothing asks for a password here: nobody would see it, and all would wait.
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "SSH_ASKPASS": ""}
    quiet["GIT_SSH_COMMAND"] = kept.get("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")
    return {**kept, **quiet, "PATH": path}


def in_parallel(
    items: Sequence[Item],
    work: Callable[[Item], Result],
    jobs: int,
    children: Children,
    tell: Callable[[Result], Any],
) -> list[Result]:
    """Do the work for all, `jobs` at a time; the results in the order of the items.

    `tell` gets each result as it comes. Ctrl-C, or an error of the work, ends all commands first.
    """
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for future in as_completed(futures):
                tell(future.result())
        except BaseException:
            # A second Ctrl-C would leave something running.
            for name in (signal.SIGINT, signal.SIGTERM):
                signal.signal(name, signal.SIG_IGN)
            for future in futures:
                future.cancel()
            children.stop()
            raise
    return [future.result() for future in futures]


def _end(processes: Sequence[subprocess.Popen[bytes]] | set[subprocess.Popen[bytes]]) -> None:
    """End these and whatever they have started."""
    family: list[psutil.Process] = []
    for one in processes:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(one.pid)
            family += [process, *process.children(recursive=True)]
    for one in family:
        with suppress(psutil.NoSuchProcess):
            one.terminate()
    for one in psutil.wait_procs(family, timeout=_GRACE)[1]:
        with suppress(psutil.NoSuchProcess):
            one.kill()
