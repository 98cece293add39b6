"""Projects on one server and one work pool: each runs its own code, and none harms another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from histories import edited, replace
from living import HARD, NAME, POOL, SAMPLE_ROWS, Living, Source, wait_for
from on_server import latest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def first(stamp_living: Callable[..., Living], source: Source) -> Iterator[Living]:
    """A deployed project with hard answers, whose server and worker the others share."""
    one = stamp_living("first", source_url=source.url, **HARD)
    with one.deployed():
        one.blueprint("run")
        yield one


def test_two_projects_on_one_server_and_pool_run_their_own_code(
    first: Living, stamp_living: Callable[..., Living], source: Source
) -> None:
    second = stamp_living(
        "second", beside=first, project_name="Second One", work_pool_name=POOL, timezone="UTC"
    )
    contract = second.path / "src" / "data_pipeline" / "contract.py"
    replace(contract, 'TABLE = "orders"', 'TABLE = "orders_of_two"')
    second.script("phase2_execute.sh")
    # The only worker is the first project's, which has another `data_pipeline` installed.
    second.blueprint("run")
    assert second.rows("orders_of_two") == SAMPLE_ROWS
    assert first.rows() == SAMPLE_ROWS
    first.blueprint("run")
    assert first.rows() == SAMPLE_ROWS


def test_down_ends_no_run_of_another_project(
    first: Living, stamp_living: Callable[..., Living]
) -> None:
    other = stamp_living("slow one", beside=first, project_name="Slow One", work_pool_name=POOL)
    # Its runs end when the test says so; the first project's worker is the only one.
    go_on = other.path / "go-on"
    extract = other.path / "src" / "data_pipeline" / "extract.py"
    waiting = f"""
    import time
    while not Path({str(go_on)!r}).exists():
        time.sleep(0.1)
    return sources.fetch("""
    replace(extract, "\n    return sources.fetch(", waiting)
    other.blueprint("deploy")
    other.blueprint("run", "--no-watch")
    wait_for(lambda: latest(first)["state"]["type"] == "RUNNING" and latest(first))
    printed = first.blueprint("down", "--limit", "1")
    assert f"runs of other projects in hand, {latest(first)['name']}" in printed
    go_on.touch()
    assert wait_for(lambda: latest(first)["state"]["type"] == "COMPLETED")
    assert other.rows() == SAMPLE_ROWS
    first.blueprint("up")


def test_a_copied_project_is_another_project(first: Living, scratch: Path) -> None:
    copied = scratch / "copied" / first.path.name
    copy = first.copied_to(copied)
    printed = copy.fails("dash", str(copied / "scripts" / "phase2_execute.sh"))
    assert "belongs to" in printed
    assert str(first.path) in printed
    assert "nothing runs that this project started" in copy.blueprint("down")
    assert "answers, started by this project" in first.ends("check_status.sh")[1]


def test_a_fault_in_the_manifest_or_another_pool_stops_no_worker_by_accident(
    first: Living,
) -> None:
    manifest = first.path / "prefect.yaml"
    with edited(manifest, "it''s the pool", "another pool"):
        printed = first.fails(first.tool("blueprint"), "up")
        assert "still runs for it's the pool" in printed
        manifest.write_text("deployments: [", "utf-8")
        assert "the worker is stopped" in first.blueprint("down")
    first.blueprint("up")


def test_a_server_that_another_projects_worker_uses_stays_up(
    first: Living, stamp_living: Callable[..., Living]
) -> None:
    other = stamp_living("neighbour", beside=first, project_name="Neighbour", work_pool_name=POOL)
    start = [other.tool("prefect"), "worker", "start", "--pool", POOL, "--name", "the neighbour"]
    worker = other.start(*start)
    try:
        wait_for(lambda: "the neighbour" in first.ends("check_status.sh")[1])
        printed = first.blueprint("down")
        assert "stays up, since others use it: worker the neighbour" in printed
        assert first.answers()
    finally:
        worker.terminate()
        worker.wait(timeout=60)
    # The server takes a worker that has gone as running until its next sign of life is overdue.
    wait_for(lambda: "the server is stopped" in first.blueprint("down"))
    assert not first.answers()
    first.blueprint("up")


def test_a_namesake_of_another_project_is_not_overwritten_in_silence(
    first: Living, stamp_living: Callable[..., Living], source: Source
) -> None:
    namesake = stamp_living(
        "namesake", beside=first, project_name=NAME, work_pool_name=POOL, source_url=source.url
    )
    printed = namesake.fails(namesake.tool("blueprint"), "deploy")
    assert str(first.path) in printed
    held = first.api("/deployments/filter", {"deployments": {"name": {"any_": ["production-etl"]}}})
    folders = [one["job_variables"]["working_dir"] for one in held]
    assert str(first.path) in folders
    assert str(namesake.path) not in folders
    assert "belongs to" in namesake.fails(namesake.tool("blueprint"), "run")
    namesake.blueprint("deploy", "--take-over")
    first.blueprint("deploy", "--take-over")
