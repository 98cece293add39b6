"""What `prune` deletes: what is old, and on a shared server only what is the project's own."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from living import Living

pytestmark = pytest.mark.slow

POOL = 'the "slow" pool'


@pytest.fixture(scope="module")
def project(stamp_living: Callable[..., Living]) -> Iterator[Living]:
    """A deployed project with a server and a worker."""
    one = stamp_living(
        "the first", project_name="First One", work_pool_name=POOL, timezone="Europe/Berlin"
    )
    with one.deployed():
        yield one


@pytest.fixture(scope="module")
def neighbour(project: Living, stamp_living: Callable[..., Living]) -> Living:
    """Another project on the same server and pool."""
    other = stamp_living(
        "the neighbour",
        beside=project,
        project_name="Neighbour",
        work_pool_name=POOL,
        timezone="UTC",
    )
    other.blueprint("deploy")
    return other


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
        server.ask("/logs/", entries)
