"""A second pipeline in a stamped project: added, deployed, run, updated and taken away again."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import copier
import pytest
import yaml
from bake import CHECKS
from conftest import commit_all
from histories import git, replace
from living import HARD, Living, Source, free_port, wait_for

pytestmark = pytest.mark.slow

PARCELS = 400
HEAD = b"parcel_id,sent_on,weight,to\n"
ROWS = b"".join(
    b'%d,2026-0%d-11,%d.5,"O\'Neil, ""%d"""\n' % (n, 1 + n % 9, n, n) for n in range(PARCELS)
)


@pytest.fixture(scope="module")
def source() -> Iterator[Source]:
    # Whoever adds a pipeline types such an address in quotes; it has one of its own.
    served = Source(HEAD + ROWS, "it's%20the%20post.csv")
    yield served
    served.close()


@pytest.fixture(scope="module")
def template_copy(released: Path, scratch: Path) -> Path:
    """The released template, in a place where it may be edited."""
    return Path(shutil.copytree(released, scratch / "prefect-blueprint"))


@pytest.fixture(scope="module")
def living(
    stamp_from: Callable[..., Path], template_copy: Path, scratch: Path, source: Source
) -> Iterator[Living]:
    """A project of hard answers, committed; a pipeline was added to it, and committed too."""
    api_url = f"http://127.0.0.1:{free_port()}/api"
    answers = HARD | {"project_slug": "ledger", "prefect_api_url": api_url, "create_venv": True}
    path = stamp_from(str(template_copy), scratch / "stamped", answers=answers)
    one = Living(path, api_url, scratch / "home" / "prefect")
    commit_all(one.path, "Stamp", tag="stamped")
    asked = ("--source-url", source.url, "--schedule", "30 5 * * *", "--timezone", "Asia/Tokyo")
    one.blueprint("add-pipeline", "parcels", *asked)
    try:
        yield one
    finally:
        source.held.clear()
        one.blueprint("down")


def held(living: Living) -> dict[str, dict[str, Any]]:
    """The server's deployments, by name."""
    return {one["name"]: one for one in living.api("/deployments/filter", {})}


def test_it_is_green_as_it_was_added_and_touches_only_what_it_says(living: Living) -> None:
    changed = git(living.path, "status", "--porcelain").splitlines()
    assert changed == [
        " M prefect.yaml",
        "?? src/parcels/",
        "?? tests/test_parcels_contract.py",
        "?? tests/test_parcels_flow.py",
    ]
    assert "\n-" not in git(living.path, "diff").replace("\n--- a/prefect.yaml", "")
    commit_all(living.path, "Add parcels", tag="added")
    for tool, *arguments in CHECKS[:-1]:
        living.in_project(living.tool(tool), *arguments)
    tests = [str(path) for path in (living.path / "tests").glob("test_parcels_*.py")]
    assert "4 passed" in living.in_project(living.tool("pytest"), "-o", "addopts=", *tests)
    assert git(living.path, "status", "--porcelain") == ""


def test_an_update_of_the_template_keeps_it(
    living: Living, template_copy: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = template_copy / "{{cookiecutter.project_slug}}"
    for file, old, new in (
        # The lines beside which the new deployment stands.
        ("prefect.yaml", "FREQUENCY: '30'\n", "FREQUENCY: '45'\n          MORE: '1'\n"),
        ("prefect.yaml", "batch_size: 50000", "batch_size: 60000"),
        ("pyproject.toml", '    "packaging",\n', '    "packaging>=24",\n'),
        ("src/data_pipeline/config.py", "MAX_WORKERS = 4", "MAX_WORKERS = 5"),
    ):
        replace(inside / file, old, new)
    commit_all(template_copy, "Improve", tag="v99.0.0")
    monkeypatch.setenv("COPIER_CACHE_DIR", str(scratch / "cache"))
    clone = scratch / "clone"
    subprocess.run(["git", "clone", "-q", str(living.path), str(clone)], check=True)
    copier.run_update(clone, defaults=True, overwrite=True, quiet=True)
    text = (clone / "prefect.yaml").read_text("utf-8")
    assert "<<<<<<<" not in text and not list(clone.rglob("*.rej"))
    before = yaml.safe_load((living.path / "prefect.yaml").read_text("utf-8"))["deployments"]
    first, second = yaml.safe_load(text)["deployments"]
    assert first["parameters"]["batch_size"] == 60000
    env = first["work_pool"]["job_variables"]["env"]
    assert (env["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"], env["MORE"]) == ("45", "1")
    assert second == before[1]
    assert "packaging>=24" in (clone / "pyproject.toml").read_text("utf-8")
    assert "MAX_WORKERS = 5" in (clone / "src/data_pipeline/config.py").read_text("utf-8")
    changed = git(clone, "status", "--porcelain")
    assert "parcels" not in changed and "data_pipeline/config.py" in changed


def test_both_are_deployed_and_run_each_into_a_table_of_its_own(
    living: Living, source: Source
) -> None:
    living.blueprint("up")
    living.blueprint("redeploy")
    there = held(living)
    assert set(there) == {"production-etl", "parcels"}
    when = {
        name: (one["schedules"][0]["schedule"]["cron"], one["schedules"][0]["schedule"]["timezone"])
        for name, one in there.items()
    }
    assert when == {
        "production-etl": ("15 6 * * MON-FRI", "Europe/Berlin"),
        "parcels": ("30 5 * * *", "Asia/Tokyo"),
    }
    assert all(one["global_concurrency_limit"]["limit"] == 1 for one in there.values())
    assert len({one["work_pool_name"] for one in there.values()}) == 1
    source.body = HEAD + ROWS + b"x,never,y,\n"
    first = threading.Thread(target=living.blueprint, args=("run",))
    first.start()  # both at once, into one file
    living.blueprint("run", "--pipeline", "parcels")
    first.join()
    assert (living.rows("orders"), living.rows("parcels")) == (3000, PARCELS)
    refused = living.path / "quarantine"
    assert len(list(refused.glob("*.ndjson"))) == len(list(refused.glob("parcels/*.ndjson"))) == 1
    living.blueprint("replay-quarantine", "--pipeline", "parcels", "--dry-run")
    status = living.fails(living.tool("blueprint"), "status")  # phases 1 and 3 are yet to pass
    for name in there:
        assert re.search(rf"{name}\s*│ as prefect.yaml says", status)
        assert f"The last runs of {name}" in status
    assert "quarantine (quarantine/parcels)" in status
    validated = living.script("validate_setup.sh")
    assert "contract of parcels" in validated and "transform of parcels" in validated


def test_a_fault_in_the_first_is_none_of_the_second(living: Living) -> None:
    contract = living.path / "src" / "data_pipeline" / "contract.py"
    before = contract.read_text("utf-8")
    contract.write_text("this is no Python\n", "utf-8")
    try:
        told = living.blueprint("preview", "--pipeline", "parcels", "--limit", "50")
        living.fails(living.tool("blueprint"), "preview")
        faults = living.fails(living.tool("blueprint"), "validate-setup")
    finally:
        contract.write_text(before, "utf-8")
    assert "a run would bear that" in told
    assert "edit src/data_pipeline/contract.py" in faults
    assert "ok    contract of parcels" in faults


def test_it_fails_as_it_should(living: Living) -> None:
    told = living.script("test_failure.sh", "--pipeline", "parcels")
    assert "OTHERWISE" not in told and told.count("│ yes") == 5


def test_it_goes_from_the_server_and_from_here_and_the_first_is_untouched(
    living: Living, source: Source
) -> None:
    before = held(living)
    source.held.set()
    living.blueprint("run", "--pipeline", "parcels", "--no-watch")
    count = {"flow_runs": {"state": {"type": {"any_": ["RUNNING"]}}}}
    wait_for(lambda: living.api("/flow_runs/count", count))
    blueprint = living.tool("blueprint")
    told = living.fails(blueprint, "remove-pipeline", "parcels", "--yes")
    assert "which goes on (Running)" in told and "Nothing was removed" in told
    source.held.clear()
    wait_for(lambda: not living.api("/flow_runs/count", count))
    listed = living.blueprint("remove-pipeline", "parcels", "--dry-run")
    assert "on the server, the deployment ledger-parcels/parcels, its schedules" in listed
    assert "no terminal to ask at" in living.fails(blueprint, "remove-pipeline", "parcels")
    assert held(living).keys() == before.keys()
    living.blueprint("remove-pipeline", "parcels", "--yes")
    there = held(living)
    assert set(there) == {"production-etl"}
    first = there["production-etl"]
    for key in ("id", "updated", "schedules", "parameters"):
        assert first[key] == before["production-etl"][key]
    lined_up = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
    left = living.api("/flow_runs/filter", lined_up)
    assert {one["deployment_id"] for one in left} == {first["id"]}
    watched = str(living.api("/automations/filter", {}))
    assert first["id"] in watched and before["parcels"]["id"] not in watched
    assert git(living.path, "diff", "stamped") == ""
    assert git(living.path, "ls-files", "--others", "--exclude-standard") == ""
    assert (living.rows("orders"), living.rows("parcels")) == (3000, PARCELS)
    assert list((living.path / "quarantine" / "parcels").iterdir())
    living.blueprint("run")
    # The version alone: what was removed is not committed.
    differences = re.findall(r"\.\.\. .*", living.fails(blueprint, "redeploy", "--dry-run"))
    assert len(differences) == 1 and "production-etl: version is" in differences[0]
