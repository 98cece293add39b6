"""What `down` drains, ends and stops: runs of this project and of others, and a killed worker's."""

from __future__ import annotations

import json
import signal
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from histories import replace
from living import Living, wait_for
from on_server import begun, state_of
from processes import as_systemd_starts_it, process_of, terminate, typed

pytestmark = pytest.mark.slow

POOL = 'the "slow" pool'
ACTIVE = {"state": {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}}


@pytest.fixture(scope="module")
def stamp(stamp_living: Callable[..., Living]) -> Callable[..., Living]:
    """Stamp a project whose runs wait in their first task while its file `hold` is there.

    They make `holds` there as soon as they wait.
    """

    def stamped(folder: str, **options: Any) -> Living:
        one = stamp_living(folder, work_pool_name=POOL, **options)
        waiting = f"""
    import time
    from pathlib import Path
    while Path({str(one.path / "hold")!r}).exists():
        Path({str(one.path / "holds")!r}).touch()
        time.sleep(0.1)
    return sources.fetch("""
        extract = one.path / "src" / "data_pipeline" / "extract.py"
        replace(extract, "\n    return sources.fetch(", waiting)
        return one

    return stamped


@pytest.fixture(scope="module")
def project(stamp: Callable[..., Living]) -> Iterator[Living]:
    """A deployed project with a server; each test says whether a worker runs."""
    one = stamp("the first", project_name="First One", timezone="Europe/Berlin")
    try:
        one.blueprint("up")
        one.blueprint("deploy")
        yield one
    finally:
        (one.path / "hold").unlink(missing_ok=True)
        # A neighbour's worker counts as a user of the server until its last sign of life is old.
        wait_for(lambda: "stays up" not in one.blueprint("down", "--limit", "0"))


@pytest.fixture(scope="module")
def neighbour(project: Living, stamp: Callable[..., Living]) -> Living:
    """Another project on the same server and pool."""
    other = stamp("the neighbour", beside=project, project_name="Neighbour", timezone="UTC")
    other.blueprint("deploy")
    return other


def test_while_the_worker_drains_its_run_finishes_and_no_new_one_is_taken(project: Living) -> None:
    project.blueprint("up")
    with held(project) as run:
        before = log(project, "worker").count("takes no new run")
        down = typed(project, "down")
        wait_for(lambda: log(project, "worker").count("takes no new run") > before)
        # Ctrl-C leaves the drain as it is, and the same command goes on with it.
        down.send_signal(signal.SIGINT)
        assert down.wait(timeout=30) == 130
        down = typed(project, "down")
        new = begun(project)
        # The worker asked for due runs every three seconds: let it pass over this one.
        wait_for(lambda: state(project, new) == "LATE")
        assert down.poll() is None
        assert state(project, run["id"]) == "RUNNING"
    assert down.wait(timeout=120) == 0
    project.start(project.tool("blueprint"), "server")
    wait_for(lambda: project.answers())
    try:
        assert state(project, run["id"]) == "COMPLETED"
        assert state(project, new) == "LATE"
        assert project.api("/flow_runs/filter", {"flow_runs": ACTIVE}) == []
    finally:
        # What a person started, `up` uses and `down` leaves alone.
        assert "started by a terminal" in project.blueprint("up")
        assert wait_for(lambda: state(project, new) == "COMPLETED")
        printed = project.blueprint("down")
        assert "was started by a terminal and is left alone" in printed
        assert project.answers()
        terminate(process_of(project, "server"))


def test_a_run_over_the_limit_is_ended_and_is_not_running_afterwards(project: Living) -> None:
    project.blueprint("up")
    with held(project) as run, kept_up(project):
        printed = project.blueprint("down", "--limit", "1")
        assert f"{named(project, run)} was ended before it was done, and is Crashed" in printed
        assert state(project, run["id"]) == "CRASHED"
        assert project.api("/flow_runs/filter", {"flow_runs": ACTIVE}) == []
        assert process_of(project, "worker") is None


def test_runs_of_a_worker_that_was_killed_do_not_stay_running(project: Living) -> None:
    project.blueprint("up")
    with held(project) as run, kept_up(project):
        worker = process_of(project, "worker")
        assert worker is not None
        family = [worker, *worker.children(recursive=True)]
        # As when the machine loses its power: nobody can tell the server.
        for one in family:
            one.kill()
        psutil.wait_procs(family, timeout=10)
        assert state(project, run["id"]) == "RUNNING"
        printed = project.blueprint("down")
        assert f"{named(project, run)} was ended before it was done" in printed
        assert state(project, run["id"]) == "CRASHED"


def test_a_run_outlives_its_killed_worker_and_completes(project: Living) -> None:
    project.blueprint("up")
    with held(project) as run:
        worker = process_of(project, "worker")
        assert worker is not None
        worker.kill()
        worker.wait(timeout=10)
    # Its log, which the worker printed, goes on.
    wait_for(lambda: state(project, run["id"]) not in ("RUNNING", "PENDING"))
    assert state(project, run["id"]) == "COMPLETED"


def test_a_run_that_outlives_its_killed_worker_is_ended_by_down(project: Living) -> None:
    project.blueprint("up")
    with kept_up(project), held(project) as run:
        worker = process_of(project, "worker")
        assert worker is not None
        orphans = worker.children(recursive=True)
        worker.kill()
        worker.wait(timeout=10)
        assert "for the 1 that it has in hand" in project.blueprint("down", "--limit", "1")
        assert state(project, run["id"]) == "CRASHED"
        assert not any(one.is_running() for one in orphans)


def test_a_drain_harms_no_worker_and_no_run_of_another_project(
    project: Living, neighbour: Living, tmp_path: Path
) -> None:
    project.blueprint("up")
    worker = as_systemd_starts_it(neighbour, "worker", tmp_path)
    try:
        wait_for(lambda: any(one.startswith(f"{neighbour.path.name}-") for one in workers(project)))
        printed = project.blueprint("down")
        assert "the worker is stopped" in printed
        assert "stays up, since others use it: worker" in printed
        neighbour.blueprint("run")
        assert neighbour.rows() == 3000
        # What systemd runs is found, used, and left to it.
        assert "starting a worker" not in neighbour.blueprint("up")
        # It ends with a code other than 0, since phases 1 and 3 have yet to pass.
        assert "runs (process" in neighbour.fails(neighbour.tool("blueprint"), "status")
        printed = neighbour.blueprint("down")
        assert "systemctl --user stop" in printed
        assert "is left alone" in printed
        assert worker.poll() is None
    finally:
        worker.terminate()
        # Asked by a signal it drains too: without a run in hand it ends at once, and well.
        assert worker.wait(timeout=60) == 0


def test_another_projects_run_in_the_workers_hands_is_not_ended(
    project: Living, neighbour: Living
) -> None:
    project.blueprint("up")
    with held(neighbour) as run:
        printed = project.blueprint("down", "--limit", "1")
        assert f"has runs of other projects in hand, {run['name']}" in printed
        assert state(project, run["id"]) == "RUNNING"
        drained = process_of(project, "worker")
        assert drained is not None
        # It takes no new run any more; `up` starts another worker beside it.
        assert "takes no new run" in project.blueprint("up")
        project.blueprint("run")
        assert drained.is_running()
    assert wait_for(lambda: state(project, run["id"]) == "COMPLETED")
    drained.wait(timeout=60)


@contextmanager
def held(living: Living) -> Iterator[dict[str, Any]]:
    """A run of the project that is under way, and goes on when the block is left."""
    hold, holds = living.path / "hold", living.path / "holds"
    holds.unlink(missing_ok=True)
    hold.touch()
    try:
        run = living.api(f"/flow_runs/{begun(living)}")
        wait_for(holds.exists)
        yield run
    finally:
        hold.unlink(missing_ok=True)


@contextmanager
def kept_up(living: Living) -> Iterator[None]:
    """The server stays up over a `down`, since somebody's worker uses it."""
    name = "somebody"
    path = f"/work_pools/{POOL.replace(' ', '%20').replace(chr(34), '%22')}/workers/heartbeat"
    over = threading.Event()

    def beat() -> bool:
        """Whether the server has taken it: SQLite may be too busy for that."""
        request = urllib.request.Request(
            f"{living.api_url}{path}",
            data=json.dumps({"name": name}).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            urllib.request.urlopen(request, timeout=30).close()
        except urllib.error.HTTPError as error:
            if error.code != 503:
                raise
            return False
        return True

    def beats() -> None:
        while not over.wait(5):
            beat()

    wait_for(beat)
    thread = threading.Thread(target=beats)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def workers(living: Living) -> list[str]:
    """The names of all workers of the pool that the server has heard of."""
    pool = POOL.replace(" ", "%20").replace('"', "%22")
    return [one["name"] for one in living.api(f"/work_pools/{pool}/workers/filter", {})]


def named(living: Living, run: dict[str, Any]) -> str:
    """What a run is called by now: at its beginning it gets a name that says what it does."""
    return living.api(f"/flow_runs/{run['id']}")["name"]


def state(living: Living, run: str) -> str:
    found = state_of(living, run)
    return "LATE" if found["name"] == "Late" else found["type"]


def log(living: Living, role: str) -> str:
    return (living.path / ".blueprint" / "logs" / f"{role}.log").read_text("utf-8")
