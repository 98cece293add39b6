"""A server or worker as a process of its own: started detached, found again, stopped.

A process is known by its id and its start time together, since ids are used again. psutil gives
both on Linux, macOS and Windows. One that runs in a terminal or under systemd or launchd records
itself, so that it is found too; `by` tells it from what `blueprint up` started.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from blueprint import logs, show
from blueprint.project import STATE

UP = "blueprint up"
STARTED_BY = "BLUEPRINT_STARTED_BY"
"""The variable that tells a server or worker who started it."""


@dataclass(frozen=True)
class Supervised:
    """A process of this project, by its role: `server` or `worker`."""

    role: str

    @property
    def record(self) -> Path:
        """Where its id and start time are kept."""
        return STATE / f"{self.role}.json"

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return STATE / "logs" / f"{self.role}.log"

    @property
    def serves(self) -> str:
        """What it was started for: the server's API address, or the worker's pool."""
        return str(self._known().get("serves", ""))

    @property
    def by(self) -> str:
        """Who started it: `UP`, the name of a unit of systemd or launchd, or "a terminal"."""
        return str(self._known().get("by", UP))

    def process(self) -> psutil.Process | None:
        """The running process that this project started, if there is one."""
        try:
            known = self._known()
            process = psutil.Process(known["pid"])
            same = abs(process.create_time() - known["started"]) < 1
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except (ValueError, TypeError, KeyError, psutil.Error):
            return None

    def ours(self) -> psutil.Process | None:
        """The running process, if `blueprint up` started it: only such a one may be stopped."""
        return self.process() if self.by == UP else None

    def start(
        self, command: Sequence[str], environment: Mapping[str, str], serves: str = ""
    ) -> psutil.Process:
        """Start it in a session of its own, its output in the log, its record written.

        Args:
            command: the program and its arguments.
            environment: all of its environment.
            serves: what `serves` shall tell of it.
        """
        with uninterrupted():
            log = logs.writer(self.log)
            assert log.stdin is not None
            try:
                child = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log.stdin,
                    stderr=subprocess.STDOUT,
                    env={**environment, STARTED_BY: UP},
                    start_new_session=True,
                    creationflags=(
                        subprocess.CREATE_NEW_PROCESS_GROUP if sys.platform == "win32" else 0
                    ),
                )
            finally:
                log.stdin.close()  # it ends with the last that writes into it
            return self.recorded(child.pid, serves, UP, log.pid)

    def recorded(self, pid: int, serves: str, by: str, log: int | None = None) -> psutil.Process:
        """Write down which process it is; `log` is the process that writes its log."""
        process = psutil.Process(pid)
        known = {"pid": pid, "started": process.create_time(), "serves": serves, "by": by}
        draft = self.record.with_suffix(".new")
        draft.write_text(json.dumps({**known, "log": log}), "utf-8")
        draft.replace(self.record)
        return process

    def stop(self, patience: float = 20) -> bool:
        """End it and all that it started; gently first, by force after `patience` seconds.

        Returns whether there was anything to stop.
        """
        process = self.process()
        if process is not None:
            family = _descendants(process)
            end([process], patience)
            # What it left behind has nobody to end it.
            end(family, 5)
        self.forget()
        return process is not None

    def forget(self) -> None:
        """It has ended: its log is written to the end, and its record goes."""
        log = self._known().get("log")
        if isinstance(log, int):
            with contextlib.suppress(psutil.Error):
                psutil.Process(log).wait(timeout=2)
        self.record.unlink(missing_ok=True)

    def _known(self) -> dict[str, Any]:
        try:
            known = json.loads(self.record.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}

    def last_words(self, lines: int = 15) -> str:
        """The end of its log, for a message about why it did not come up."""
        words = logs.last(self.log, lines)
        return "\n".join(f"    {line}" for line in words) or "(it wrote no log)"


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C waits until what is inside is done: a process that no record knows would be lost.

    What is started inside has SIGINT as the system sets it. A script that starts `command &` has
    it ignored, which a child would inherit.
    """
    asked: list[int] = []
    try:
        before = signal.signal(signal.SIGINT, lambda number, _: asked.append(number))
    except ValueError:  # not in the main thread, which no signal interrupts either
        yield
        return
    try:
        yield
    finally:
        ignored = before in (signal.SIG_IGN, None)
        signal.signal(signal.SIGINT, signal.default_int_handler if ignored else before)
    if asked:
        raise KeyboardInterrupt


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One command at a time starts or stops what belongs to this project."""
    STATE.mkdir(exist_ok=True)
    with (STATE / "lock").open("w") as lock:
        if sys.platform != "win32":
            import fcntl

            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                show.doing("another `blueprint` command starts or stops something; waiting for it")
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def runs_of(worker: str) -> dict[str, list[psutil.Process]]:
    """The flow runs that a worker has started, or one before it of its name, and their processes.

    They are looked for among all processes, since those of a worker that was killed go on.
    Prefect hands a run these two variables (prefect/workers/base.py, prefect/runner).
    """
    found: dict[str, list[psutil.Process]] = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            environment = process.environ()
            run = environment.get("PREFECT__FLOW_RUN_ID")
            if run and environment.get("PREFECT__WORKER_NAME") == worker:
                found.setdefault(run, []).append(process)
    return found


def belongs_to(mark: str, processes: Sequence[psutil.Process]) -> bool:
    """Whether a run is one of the project's own: its deployment hands it the project's mark."""
    for process in processes:
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get("BLUEPRINT_PROJECT") == mark:
                return True
    return False


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def end(processes: list[psutil.Process], patience: float) -> None:
    """SIGTERM, and SIGKILL to those that are still there after `patience` seconds."""
    for one in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.terminate()
    _, left = psutil.wait_procs(processes, timeout=patience)
    for one in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    psutil.wait_procs(left, timeout=5)


def port_owner(port: int) -> str:
    """Who listens on a port of this machine, as far as this user may see it."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,):
                if connection.pid is None:
                    break
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        pass
    return "a process that this user cannot see"


SERVER = Supervised("server")
WORKER = Supervised("worker")
