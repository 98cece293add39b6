"""A server or worker as a process of its own: started detached, found again, stopped.

A process is known by its id and its start time together, since ids are used again. psutil gives
both on Linux, macOS and Windows.
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

import psutil

from blueprint.project import STATE


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
        try:
            return str(json.loads(self.record.read_text("utf-8"))["serves"])
        except (OSError, ValueError, TypeError, KeyError):
            return ""

    def process(self) -> psutil.Process | None:
        """The running process that this project started, if there is one."""
        try:
            known = json.loads(self.record.read_text("utf-8"))
            process = psutil.Process(known["pid"])
            same = abs(process.create_time() - known["started"]) < 1
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except (OSError, ValueError, TypeError, KeyError, psutil.Error):
            return None

    def start(
        self, command: Sequence[str], environment: Mapping[str, str], serves: str = ""
    ) -> psutil.Process:
        """Start it in a session of its own, its output in the log, its record written.

        Args:
            command: the program and its arguments.
            environment: all of its environment.
            serves: what `serves` shall tell of it.
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            # Started with `&` by a script: a child would inherit that SIGINT is ignored, and a
            # Prefect worker, which turns SIGTERM into SIGINT, could then not be stopped.
            signal.signal(signal.SIGINT, signal.default_int_handler)
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                start_new_session=True,
                creationflags=(
                    subprocess.CREATE_NEW_PROCESS_GROUP if sys.platform == "win32" else 0
                ),
            )
        process = psutil.Process(child.pid)
        known = {"pid": child.pid, "started": process.create_time(), "serves": serves}
        draft = self.record.with_suffix(".new")
        draft.write_text(json.dumps(known), "utf-8")
        draft.replace(self.record)
        return process

    def stop(self, patience: float = 20) -> bool:
        """End it and all that it started; gently first, by force after `patience` seconds.

        Returns whether there was anything to stop.
        """
        process = self.process()
        if process is not None:
            family = _descendants(process)
            _end([process], patience)
            # What it left behind has nobody to end it.
            _end(family, 5)
        self.record.unlink(missing_ok=True)
        return process is not None

    def runs_in_hand(self) -> list[str]:
        """The ids of the flow runs whose processes it has started and that have not ended.

        Prefect hands a run its id in this variable (prefect/runner, prefect/engine.py).
        """
        process = self.process()
        found = []
        for child in _descendants(process) if process else []:
            with contextlib.suppress(psutil.Error):
                found.append(child.environ().get("PREFECT__FLOW_RUN_ID", ""))
        return sorted(set(filter(None, found)))

    def last_words(self, lines: int = 15) -> str:
        """The end of its log, for a message about why it did not come up."""
        try:
            text = self.log.read_text("utf-8", errors="replace")
        except OSError:
            return "(it wrote no log)"
        return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One command at a time starts or stops what belongs to this project."""
    STATE.mkdir(exist_ok=True)
    with (STATE / "lock").open("w") as lock:
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _end(processes: list[psutil.Process], patience: float) -> None:
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
