"""Supervised processes: detached, found again, stopped; never somebody else's."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from blueprint import processes
from blueprint.processes import Supervised

# Like a Prefect worker: SIGTERM is turned into SIGINT, which ends it unless it is ignored.
WORKER_LIKE = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("ready", child.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervised]:
    monkeypatch.setattr(processes, "STATE", tmp_path)
    one = Supervised("worker")
    yield one
    one.stop(patience=0)


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "did not come true in 20 s"
        time.sleep(0.02)


def started(worker: Supervised) -> psutil.Process:
    process = worker.start([sys.executable, "-c", WORKER_LIKE], os.environ)
    wait_for(lambda: b"ready" in worker.log.read_bytes())
    return process


def test_a_started_process_is_found_again_and_stopped_with_its_children(worker: Supervised) -> None:
    process = started(worker)
    child = psutil.Process(int(worker.log.read_text().split()[1]))
    assert worker.process() == process
    assert worker.stop()
    assert worker.process() is None
    assert not process.is_running()
    wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_process_started_from_a_script_in_the_background_can_still_be_stopped(
    worker: Supervised,
) -> None:
    # What a shell does for `command &` where there is no terminal.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = started(worker)
    finally:
        signal.signal(signal.SIGINT, before)
    process.terminate()
    process.wait(timeout=10)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX sessions")
def test_a_started_process_has_a_session_of_its_own(worker: Supervised) -> None:
    assert os.getsid(started(worker).pid) != os.getsid(0)


def test_a_process_that_took_over_the_number_is_not_touched(worker: Supervised) -> None:
    worker.record.parent.mkdir(exist_ok=True)
    worker.record.write_text(json.dumps({"pid": os.getpid(), "started": 1.0}))
    assert worker.process() is None
    assert not worker.stop()


@pytest.mark.parametrize("broken", ["", "{}", "[]", '{"pid": "x", "started": 1}'])
def test_a_broken_record_means_that_nothing_runs(worker: Supervised, broken: str) -> None:
    worker.record.parent.mkdir(exist_ok=True)
    worker.record.write_text(broken)
    assert worker.process() is None


def test_the_owner_of_a_port_is_named() -> None:
    import socket

    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        assert f"process {os.getpid()}" in processes.port_owner(server.getsockname()[1])
