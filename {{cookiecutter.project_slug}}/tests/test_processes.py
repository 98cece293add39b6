"""Supervised processes: detached, found again, stopped; never somebody else's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest

from blueprint import draining, logs, processes
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
    wait_for(lambda: worker.log.read_bytes().endswith(b"\n"))
    return process


def child_of(worker: Supervised) -> psutil.Process:
    """What a process that looks like a worker has started."""
    return psutil.Process(int(worker.log.read_text().split()[1]))


def test_a_started_process_is_found_again_and_stopped_with_its_children(worker: Supervised) -> None:
    process = started(worker)
    child = child_of(worker)
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
    child = child_of(worker)
    process.terminate()
    process.wait(timeout=60)
    child.kill()  # nobody else's by now


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX sessions")
def test_a_started_process_has_a_session_of_its_own(worker: Supervised) -> None:
    if sys.platform != "win32":  # which the type checker asks for
        assert os.getsid(started(worker).pid) != os.getsid(0)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_while_it_is_started_loses_no_process(
    worker: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = Supervised.recorded

    def interrupted(self: Supervised, *arguments: Any) -> psutil.Process:
        os.kill(os.getpid(), signal.SIGINT)
        return recorded(self, *arguments)

    monkeypatch.setattr(Supervised, "recorded", interrupted)
    with pytest.raises(KeyboardInterrupt):
        worker.start([sys.executable, "-c", WORKER_LIKE], os.environ)
    assert worker.process() is not None
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler


def test_what_somebody_started_is_found_and_is_not_for_us_to_stop(worker: Supervised) -> None:
    theirs = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        worker.recorded(theirs.pid, "the pool", "a terminal")
        assert worker.process() is not None
        assert worker.serves == "the pool"
        assert worker.ours() is None
    finally:
        theirs.kill()
        theirs.wait()


def test_the_runs_of_a_worker_are_found_after_it_was_killed() -> None:
    code = "import subprocess, sys, time; print('up', flush=True); time.sleep(60)"
    marks = {"PREFECT__FLOW_RUN_ID": "a run", "BLUEPRINT_PROJECT": "mine"}
    # They are looked for on the whole machine, where another project may be tested at this moment.
    mine, runs = f"my worker {uuid4()}", []
    try:
        for name in (mine, "another worker"):
            environment = {**os.environ, **marks, "PREFECT__WORKER_NAME": name}
            command = [sys.executable, "-c", code]
            runs.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE))
            assert runs[-1].stdout is not None
            assert runs[-1].stdout.readline()
        found = processes.runs_of(mine)
        assert {run: [one.pid for one in of] for run, of in found.items()} == {
            "a run": [runs[0].pid]
        }
        assert processes.belongs_to("mine", found["a run"])
        assert not processes.belongs_to("another project", found["a run"])
    finally:
        for run in runs:
            run.kill()
            run.communicate()


def test_a_worker_heeds_only_a_request_that_is_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining, "_REQUEST", tmp_path / "drain.json")
    worker, another = psutil.Process(), psutil.Process().parent()
    assert another is not None
    assert draining.asked(worker) is None
    draining.ask(worker, 30)
    assert draining.asked(worker) == 30
    draining.ask(worker, 0)
    assert draining.asked(worker) == 0
    # A worker that was asked has ended, and its request lies there still.
    assert draining.asked(another) is None
    (tmp_path / "drain.json").write_text("[")
    assert draining.asked(worker) is None


def test_a_worker_that_got_the_number_of_a_drained_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining, "_REQUEST", tmp_path / "drain.json")
    worker = psutil.Process()
    draining.ask(worker, 30)
    began = worker.create_time()
    monkeypatch.setattr(worker, "create_time", lambda: began + 60)
    assert draining.asked(worker) is None


def test_its_log_is_whole_once_it_is_stopped(worker: Supervised) -> None:
    started(worker)
    worker.stop()
    assert logs.last(worker.log, 5)[0].startswith("ready ")
    log = [one for one in psutil.process_iter(["cmdline"]) if str(worker.log) in str(one.info)]
    assert log == []


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
