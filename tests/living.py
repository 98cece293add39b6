"""A stamped project at work: its scripts, its server, a source over HTTP; and nothing left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

SAMPLE_ROWS = 3000
# Answers that are hard to quote.
NAME = """Müller's "Q3" Ledger"""
POOL = "it's the pool"
HARD = {
    "project_name": NAME,
    "work_pool_name": POOL,
    "schedule": "15 6 * * MON-FRI",
    "timezone": "Europe/Berlin",
}


class Living:
    """A stamped project with a PREFECT_HOME of its own and a bare environment."""

    def __init__(self, path: Path, api_url: str, home: Path) -> None:
        self.path = path
        self.api_url = api_url
        # Prefect makes its own folder and none above it, and a person's home is there.
        home.parent.mkdir(parents=True, exist_ok=True)
        self.environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(home.parent),
            "PREFECT_HOME": str(home),
            "LANG": "C.UTF-8",
        }

    @property
    def port(self) -> int:
        """The port of its server."""
        return urlsplit(self.api_url).port or 0

    def copied_to(self, folder: Path, *left_out: str) -> Living:
        """A copy of the project's folder, less the names left out, with the same server and home."""
        ignore = shutil.ignore_patterns(*left_out)
        shutil.copytree(self.path, folder, symlinks=True, ignore=ignore)
        return Living(folder, self.api_url, Path(self.environment["PREFECT_HOME"]))

    def script(self, name: str, *arguments: str, cwd: Path | None = None) -> str:
        """Run a script under dash, from any folder, and give back what it printed."""
        command = ["dash", str(self.path / "scripts" / name), *arguments]
        return self._checked(command, cwd or Path("/"))

    def ends(self, script: str, *arguments: str) -> tuple[int, str]:
        """The exit code of a script and what it printed, with --json to stdout alone."""
        command = ["dash", str(self.path / "scripts" / script), *arguments]
        done = self._run(command, Path("/"), stderr=subprocess.PIPE)
        # Of a run that fails in the command itself, Prefect's own log is on stderr, traceback and all.
        told = done.stdout if script == "test_local_run.sh" else done.stdout + done.stderr
        assert "Traceback" not in told, told
        return done.returncode, done.stdout + ("" if "--json" in arguments else done.stderr)

    def blueprint(self, *arguments: str) -> str:
        """Run a `blueprint` command and give back what it printed."""
        return self._checked([self.tool("blueprint"), *arguments], Path("/"))

    @contextmanager
    def deployed(self) -> Iterator[Living]:
        """With a server and a worker, and what the manifest says on them; all ends with the block."""
        try:
            self.blueprint("up")
            self.script("redeploy.sh")
            yield self
        finally:
            self.blueprint("down")

    def in_project(self, *command: str) -> str:
        """Run a command in the project's folder and give back what it printed."""
        return self._checked(list(command), self.path)

    def prefect(self, *arguments: str) -> str:
        """Run Prefect's own command in the project, as a person types it there."""
        return self._checked([self.tool("prefect"), *arguments], self.path)

    def fails(self, *command: str, **more_environment: str) -> str:
        """Run a command that shall fail, and give back what it printed: no traceback."""
        done = self._run(list(command), Path("/"), more_environment)
        assert done.returncode != 0, done.stdout
        assert "Traceback" not in done.stdout
        return done.stdout

    def tool(self, name: str) -> str:
        """The path of a command of the project's own environment."""
        return str(self.path / ".venv" / "bin" / name)

    def api(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Ask the server: a POST with a body, else a GET."""
        return json.loads(self.ask(path, body))

    def answers(self) -> bool:
        """Whether a Prefect server answers at its address."""
        try:
            return self.api("/health") is True
        except (OSError, json.JSONDecodeError):
            return False

    def ask(self, path: str, body: Any = None, method: str | None = None) -> bytes:
        """Ask the server with any method, also where it answers with nothing."""
        request = urllib.request.Request(
            f"{self.api_url}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            method=method,
        )
        for again in (True, True, True, True, False):
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return answer.read()
            except urllib.error.HTTPError as error:
                # Its database is busy; Prefect's own client asks again too.
                if error.code != 503 or not again:
                    raise
                time.sleep(1)
        raise AssertionError("the last try returns or raises")

    def rows(self, table: str = "orders", target: str = "data/warehouse.duckdb") -> int:
        """How many rows the project's warehouse holds."""
        code = (
            "import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=True);"
            f"print(c.sql('select count(*) from {table}').fetchone()[0])"
        )
        command = [self.tool("python"), "-c", code, str(self.path / target)]
        return int(self._checked(command, self.path))

    def kept(self) -> list[tuple[str, int, int]]:
        """The project's code and data: each file with its size and when it was written."""
        files = [one for folder in ("src", "data") for one in (self.path / folder).rglob("*")]
        plain = [one for one in files if one.is_file() and one.suffix != ".pyc"]
        return sorted((str(one), one.stat().st_size, one.stat().st_mtime_ns) for one in plain)

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a command as in a terminal of its own, in the project's folder."""
        return subprocess.Popen(
            command, cwd=self.path, env=self.environment, stdin=subprocess.DEVNULL
        )

    def _run(
        self,
        command: list[str],
        cwd: Path,
        more: dict[str, str] | None = None,
        stderr: int = subprocess.STDOUT,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=cwd,
            env={**self.environment, **(more or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            timeout=600,
        )

    def _checked(self, command: list[str], cwd: Path) -> str:
        done = self._run(command, cwd)
        assert done.returncode == 0, f"{command} ended {done.returncode}:\n{done.stdout}"
        return done.stdout


class Source:
    """A file over HTTP that fails as often as it is told to, then answers.

    While `held` is set, whoever asks waits for the answer. posted: the bodies that were sent to it.
    """

    def __init__(self, body: bytes, name: str = "orders.ndjson") -> None:
        kind = "text/csv" if name.endswith(".csv") else "application/x-ndjson"
        self.body = body
        self.fail_next = 0
        self.held = threading.Event()
        self.posted: list[str] = []
        source = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                source.posted.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self) -> None:
                while source.held.is_set():
                    time.sleep(0.1)
                failing = source.fail_next > 0
                source.fail_next -= failing
                self.send_response(503 if failing else 200)
                body = b"" if failing else source.body
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/{name}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.held.clear()
        self.server.shutdown()
        self.server.server_close()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition: Callable[[], Any], seconds: float = 180) -> Any:
    """What `condition` gives once it gives something; fails after `seconds`.

    Those are for the busiest machine: where it comes true, they cost nothing.
    """
    end = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < end, f"did not come true in {seconds} s"
        time.sleep(0.2)
    return result


@contextmanager
def nothing_left_running(scratch: Path) -> Iterator[None]:
    """Whatever happens inside, no process that belongs to `scratch` outlives it.

    Raises AssertionError where the inside went well and yet left something running.
    """
    try:
        yield
    except BaseException:
        _end(_processes_of(scratch))
        raise
    left = _processes_of(scratch)
    told = [f"{one.pid}: {' '.join(one.cmdline())}" for one in left if one.is_running()]
    _end(left)
    assert not told, f"left running: {told}"


def _processes_of(scratch: Path) -> list[psutil.Process]:
    found = []
    for one in psutil.process_iter():
        try:
            belongs = str(scratch) in one.environ().get("PREFECT_HOME", "")
            if belongs and one.pid != os.getpid() and one.status() != psutil.STATUS_ZOMBIE:
                found.append(one)
        except psutil.Error:
            continue
    return found


def _end(processes: list[psutil.Process]) -> None:
    for one in processes:
        try:
            one.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(processes, timeout=10)


if sys.platform == "win32":  # pragma: no cover
    raise RuntimeError("The end-to-end tests drive POSIX scripts.")
