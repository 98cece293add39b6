"""The server and the worker as processes: drained, found, interrupted, pruned; nobody else's hurt."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import not_run
from living import Living, free_port, nothing_left_running, wait_for

pytestmark = pytest.mark.slow

POOL = 'the "slow" pool'
ACTIVE = {"state": {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}}


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("live processes")
    with nothing_left_running(path):
        yield path


@pytest.fixture(scope="module")
def stamp(stamp_into: Callable[..., Path], scratch: Path) -> Callable[..., Living]:
    """Stamp a project whose runs wait in their first task while its file `hold` is there.

    They make `holds` there as soon as they wait.
    """

    def stamped(folder: str, port: int, **answers: Any) -> Living:
        api_url = f"http://127.0.0.1:{port}/api"
        path = stamp_into(
            scratch / folder,
            prefect_api_url=api_url,
            work_pool_name=POOL,
            create_venv=True,
            **answers,
        )
        extract = path / "src" / "data_pipeline" / "extract.py"
        waiting = f"""
    import time
    from pathlib import Path
    while Path({str(path / "hold")!r}).exists():
        Path({str(path / "holds")!r}).touch()
        time.sleep(0.1)
    return sources.fetch("""
        text = extract.read_text("utf-8")
        assert "\n    return sources.fetch(" in text
        extract.write_text(text.replace("\n    return sources.fetch(", waiting), "utf-8")
        return Living(path, api_url, scratch / "home" / folder)

    return stamped


@pytest.fixture(scope="module")
def project(stamp: Callable[..., Living]) -> Iterator[Living]:
    """A deployed project with a server; each test says whether a worker runs."""
    one = stamp("the first", free_port(), project_name="First One", timezone="Europe/Berlin")
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
    port = int(project.api_url.split(":")[2].split("/")[0])
    other = stamp("the neighbour", port, project_name="Neighbour", timezone="UTC")
    other.blueprint("deploy")
    return other


def test_while_the_worker_drains_its_run_finishes_and_no_new_one_is_taken(project: Living) -> None:
    project.blueprint("up")
    with held(project) as run:
        before = log(project, "worker").count("takes no new run")
        down = begun(project, "down")
        wait_for(lambda: log(project, "worker").count("takes no new run") > before)
        # Ctrl-C leaves the drain as it is, and the same command goes on with it.
        down.send_signal(signal.SIGINT)
        assert down.wait(timeout=30) == 130
        down = begun(project, "down")
        new = triggered(project)
        # The worker asked for due runs every three seconds: let it pass over this one.
        wait_for(lambda: state(project, new["id"]) == "LATE")
        assert down.poll() is None
        assert state(project, run["id"]) == "RUNNING"
    assert down.wait(timeout=120) == 0
    project.start(project.tool("blueprint"), "server")
    wait_for(lambda: answers(project))
    try:
        assert state(project, run["id"]) == "COMPLETED"
        assert state(project, new["id"]) == "LATE"
        assert project.api("/flow_runs/filter", {"flow_runs": ACTIVE}) == []
    finally:
        # What a person started, `up` uses and `down` leaves alone.
        assert "started by a terminal" in project.blueprint("up")
        assert wait_for(lambda: state(project, new["id"]) == "COMPLETED")
        printed = project.blueprint("down")
        assert "was started by a terminal and is left alone" in printed
        assert answers(project)
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


def test_an_interrupted_up_goes_on_with_the_same_command(project: Living) -> None:
    wait_for(lambda: "the server is stopped" in project.blueprint("down"))
    records = project.path / ".blueprint"
    moments: list[Callable[[], object]] = [
        lambda: True,
        lambda: (records / "server.json").exists(),
        lambda: answers(project),
        lambda: (records / "worker.json").exists(),
    ]
    for reached in moments:
        up = begun(project, "up")
        wait_for(lambda reached=reached, up=up: reached() or up.poll() is not None)
        up.send_signal(signal.SIGINT)
        up.wait(timeout=30)
        assert "Traceback" not in told(up)
    project.blueprint("up")
    mine = [" ".join(one.cmdline()) for one in processes(project)]
    assert len([line for line in mine if "prefect server start" in line]) == 1, mine
    assert len([line for line in mine if "blueprint worker" in line]) == 1, mine


def test_prune_deletes_what_is_old_and_on_a_shared_server_only_its_own(
    project: Living, neighbour: Living
) -> None:
    project.blueprint("up")
    project.blueprint("run")
    neighbour.blueprint("run")
    mine, theirs = aged(project, project), aged(project, neighbour)
    assert mine
    assert theirs
    log_much(project, mine[0])
    before = database(project).stat().st_size
    dry = json.loads(neighbour.blueprint("prune", "--dry-run", "--json"))
    assert dry["runs"] == len(theirs)
    assert dry["artifacts"] > 0
    assert not dry["whole_server"]
    assert runs(project, neighbour) == theirs
    done = json.loads(neighbour.blueprint("prune", "--json"))
    assert done == {**dry, "dry_run": False}
    assert runs(project, neighbour) == []
    assert runs(project, project) == mine
    assert artifacts(project, theirs) == []
    assert artifacts(project, mine)
    printed = project.blueprint("prune")
    assert f"deleted: {len(mine)} runs of any project on this server" in printed
    assert runs(project, project) == []
    assert artifacts(project, mine) == []
    assert "smaller" in printed
    assert database(project).stat().st_size < before - 5_000_000
    assert len(project.api("/deployments/filter", {})) == 2
    assert project.blueprint("run")


def test_the_logs_are_shown_and_followed(project: Living) -> None:
    project.blueprint("up")
    shown = project.blueprint("logs", "server", "--lines", "5").splitlines()
    assert len(shown) == 5
    both = project.blueprint("logs")
    assert "server | " in both
    assert "worker | " in both
    following = begun(project, "logs", "worker", "--follow", "--lines", "0")
    try:
        run = triggered(project)
        wait_for(
            lambda: re.search(
                rf"Flow run '{run['name']}.* - Finished in state Completed", told(following)
            )
        )
    finally:
        following.send_signal(signal.SIGINT)
    assert following.wait(timeout=30) == 0


def test_open_prints_the_address_where_there_is_no_terminal(project: Living) -> None:
    project.blueprint("up")
    assert project.blueprint("open").strip() == project.api_url.removesuffix("/api")


def test_systemd_takes_the_units_as_they_are_written(project: Living, tmp_path: Path) -> None:
    folder = tmp_path / "user units"
    printed = project.blueprint("units", "--kind", "systemd", "--write", "--folder", str(folder))
    units = sorted(folder.iterdir())
    assert len(units) == 2
    assert "systemctl --user enable --now" in printed
    verify = ["systemd-analyze", "--user", "verify", "--recursive-errors=no"]
    try:
        done = verified([*verify, *map(str, units)], tmp_path)
    except FileNotFoundError:
        not_run("systemd's own check of its units (there is no systemd-analyze here)")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    # And it would have told of a path that it read differently.
    broken = units[1].with_name("broken.service")
    broken.write_text(units[1].read_text("utf-8").replace(' dir"', '"').replace("/bin/", "/bin /"))
    assert verified([*verify, str(broken)], tmp_path).returncode != 0


def as_systemd_starts_it(living: Living, role: str, folder: Path) -> subprocess.Popen[bytes]:
    """Start the server or worker with the words and the variables of its unit, and no others."""
    living.blueprint("units", "--kind", "systemd", "--write", "--folder", str(folder))
    text = next(folder.glob(f"*-{role}.service")).read_text("utf-8").replace("%%", "%")
    lines = [line.partition("=")[::2] for line in text.splitlines()]
    command = next(shlex.split(value[1:]) for key, value in lines if key == "ExecStart")
    words = [shlex.split(value)[0] for key, value in lines if key == "Environment"]
    bare = {key: living.environment[key] for key in ("PATH", "HOME", "LANG")}
    environment = bare | dict(word.split("=", 1) for word in words)
    return subprocess.Popen(command, cwd="/", env=environment, stdin=subprocess.DEVNULL)


def verified(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(folder), "HOME": str(folder)}
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@contextmanager
def held(living: Living) -> Iterator[dict[str, Any]]:
    """A run of the project that is under way, and goes on when the block is left."""
    hold, holds = living.path / "hold", living.path / "holds"
    holds.unlink(missing_ok=True)
    hold.touch()
    try:
        run = triggered(living)
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


def begun(living: Living, *arguments: str) -> subprocess.Popen[bytes]:
    """A `blueprint` command that goes on while the test does; `told` gives what it has printed."""
    out = living.path.parent / f"{arguments[0]}-{os.urandom(4).hex()}.out"
    with out.open("wb") as file:
        process = subprocess.Popen(
            [living.tool("blueprint"), *arguments],
            cwd=living.path,
            env=living.environment | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    process.out = out  # type: ignore[attr-defined]
    return process


def told(process: subprocess.Popen[bytes]) -> str:
    return process.out.read_text("utf-8")  # type: ignore[attr-defined]


def triggered(living: Living) -> dict[str, Any]:
    printed = living.blueprint("run", "--no-watch")
    return living.api(f"/flow_runs/{printed.split('/flow-run/')[1].split()[0]}")


def workers(living: Living) -> list[str]:
    """The names of all workers of the pool that the server has heard of."""
    pool = POOL.replace(" ", "%20").replace('"', "%22")
    return [one["name"] for one in living.api(f"/work_pools/{pool}/workers/filter", {})]


def named(living: Living, run: dict[str, Any]) -> str:
    """What a run is called by now: at its beginning it gets a name that says what it does."""
    return living.api(f"/flow_runs/{run['id']}")["name"]


def state(living: Living, run: str) -> str:
    found = living.api(f"/flow_runs/{run}")["state"]
    return "LATE" if found["name"] == "Late" else found["type"]


def log(living: Living, role: str) -> str:
    return (living.path / ".blueprint" / "logs" / f"{role}.log").read_text("utf-8")


def answers(living: Living) -> bool:
    try:
        return living.api("/health") is True
    except (OSError, json.JSONDecodeError):
        return False


def processes(living: Living) -> list[psutil.Process]:
    found = []
    for one in psutil.process_iter():
        try:
            if one.environ().get("PREFECT_HOME") == living.environment["PREFECT_HOME"]:
                found.append(one)
        except psutil.Error:
            continue
    return found


def process_of(living: Living, role: str) -> psutil.Process | None:
    """The process that the project's record names, if it runs."""
    try:
        known = json.loads((living.path / ".blueprint" / f"{role}.json").read_text("utf-8"))
        one = psutil.Process(known["pid"])
        return one if one.status() != psutil.STATUS_ZOMBIE else None
    except (OSError, psutil.Error):
        return None


def terminate(process: psutil.Process | None) -> None:
    assert process is not None
    process.terminate()
    process.wait(timeout=60)


def database(living: Living) -> Path:
    return Path(living.environment["PREFECT_HOME"]) / "prefect.db"


def runs(server: Living, of: Living) -> list[str]:
    """The ids of a project's runs that have ended, on the server of another."""
    deployments = server.api("/deployments/filter", {})
    mine = [one for one in deployments if one["job_variables"]["working_dir"] == str(of.path)]
    asked = {
        "flow_runs": {"state": {"type": {"any_": ["COMPLETED", "CRASHED", "FAILED"]}}},
        "deployments": {"id": {"any_": [one["id"] for one in mine]}},
    }
    return sorted(one["id"] for one in server.api("/flow_runs/filter", asked))


def artifacts(server: Living, of_runs: list[str]) -> list[str]:
    asked = {"artifacts": {"flow_run_id": {"any_": of_runs}}}
    return [one["id"] for one in server.api("/artifacts/filter", asked)]


def aged(server: Living, of: Living) -> list[str]:
    """All of a project's runs that have ended, as if that had been a hundred days ago."""
    found = runs(server, of)
    with closing(sqlite3.connect(database(server), timeout=30)) as connection, connection:
        for run in found:
            connection.execute(
                "UPDATE flow_run SET end_time = datetime(end_time, '-100 days') WHERE id = ?",
                (run,),
            )
    return found


def log_much(server: Living, run: str) -> None:
    """Eight megabytes of logs for a run."""
    entry = {"name": "test", "level": 20, "message": "x" * 5000, "flow_run_id": run}
    entries = [{**entry, "timestamp": "2026-01-01T00:00:00Z"}] * 100
    for _ in range(16):
        request = urllib.request.Request(
            f"{server.api_url}/logs/",
            data=json.dumps(entries).encode(),
            headers={"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=30).close()
