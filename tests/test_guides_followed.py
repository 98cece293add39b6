"""Every command of every guide works, as a person types it who follows one after the other."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import ROOT
from guides import ANSWERS, GUIDES, Block, blocks
from histories import Template, comes_from
from living import Living, free_port, nothing_left_running, wait_for

pytestmark = pytest.mark.slow

# Long ones, which tell nothing new when they are run for another guide.
ONCE = {"scripts/execute_all_phases.sh\n", "scripts/test_failure.sh\n"}


@pytest.fixture(scope="module")
def followed() -> set[str]:
    """The blocks of ONCE that were run."""
    return set()


@pytest.fixture(scope="module")
def living(stamp_living: Callable[..., Living], released: Path, scratch: Path) -> Iterator[Living]:
    """A stamped project with answers of its own, in which all guides are followed."""
    one = stamp_living("first", schedule="30 5 * * *", **ANSWERS)
    comes_from(Template(released, scratch / "template"), one.path)
    one.environment |= {f"GIT_{role}_NAME": "t" for role in ("AUTHOR", "COMMITTER")}
    one.environment |= {f"GIT_{role}_EMAIL": "t@t" for role in ("AUTHOR", "COMMITTER")}
    try:
        yield one
    finally:
        one.blueprint("down")


@pytest.mark.parametrize("name", GUIDES)
def test_every_command_of_a_guide_works(name: str, living: Living, followed: set[str]) -> None:
    terminals: list[subprocess.Popen[bytes]] = []
    try:
        for block in blocks(living.path / name):
            if block.language != "sh" or block.mark in ("not run", "alone"):
                continue
            if block.text in followed:
                continue
            followed |= {block.text} & ONCE
            if block.mark == "terminal":
                terminals.append(_open_terminal(living, block))
            else:
                _follow(living, name, block)
    finally:
        for one in reversed(terminals):
            one.send_signal(signal.SIGINT)
            one.wait(timeout=90)


def test_an_event_starts_a_run_with_what_it_carries(living: Living) -> None:
    # The guide's own automation was made, and its event sent, by the test above.
    living.blueprint("up")
    asked = living.api("/flow_runs/filter", {"sort": "START_TIME_DESC", "limit": 200})
    made = [one for one in asked if (one["created_by"] or {}).get("type") == "AUTOMATION"]
    assert made, "no run was started by the automation"
    run = made[0]
    assert run["parameters"]["source_url"] == "data/sample_orders.ndjson"
    state = f"/flow_runs/{run['id']}"
    wait_for(lambda: living.api(state)["state"]["type"] == "COMPLETED", 120)


def test_the_first_commands_of_the_templates_readme_work(template: Path, tmp_path: Path) -> None:
    block = next(one for one in blocks(ROOT / "README.md") if one.language == "sh")
    # The address is of a published template; here it is the clone, and the port a free one.
    port = f"prefect_api_url=http://127.0.0.1:{free_port()}/api"
    text = block.text.replace("gh:org/prefect-blueprint", f"--no-input '{template}' {port}")
    assert text != block.text
    tools = Path(shutil.which("cookiecutter") or "").parent
    living = Living(tmp_path / "enterprise-data-pipeline", "", tmp_path / "home" / "prefect")
    living.environment["PATH"] = f"{tools}:{living.environment['PATH']}"
    with nothing_left_running(tmp_path):
        try:
            done = _shell(living, text, tmp_path)
            assert done.returncode == 0, done.stdout
            assert "All three phases passed" in done.stdout
        finally:
            living.blueprint("down")


def _follow(living: Living, name: str, block: Block) -> None:
    done = _shell(living, block.text, living.path)
    assert (done.returncode != 0) == (block.mark == "fails"), (
        f"{name}, line {block.line}, ended {done.returncode}:\n{block.text}\n{done.stdout}"
    )
    assert "Traceback" not in done.stdout, f"{name}, line {block.line}:\n{done.stdout}"


def _shell(living: Living, text: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A block as a person types it who has done what START_HERE.md says first."""
    activate = living.path / ".venv" / "bin" / "activate"
    head = f". '{activate}'\n" if activate.exists() else ""
    return subprocess.run(
        ["dash", "-e"],
        input=f"{head}{text}",
        cwd=cwd,
        env=living.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )


def _open_terminal(living: Living, block: Block) -> subprocess.Popen[bytes]:
    """A block that goes on; it is there once the server answers, or the worker is online."""
    script = f". .venv/bin/activate\n{block.text}"
    head, last = script.rstrip().rsplit("\n", 1)
    started = living.start("dash", "-ec", f"{head}\nexec {last}")
    if block.said == "1":
        wait_for(lambda: living.answers(), 180)
    else:
        wait_for(lambda: "ONLINE" in json.dumps(_workers(living)), 120)
    assert started.poll() is None
    return started


def _workers(living: Living) -> object:
    pools = living.api("/work_pools/filter", {})
    if not pools:
        return []
    name = pools[0]["name"].replace(" ", "%20").replace("'", "%27")
    return living.api(f"/work_pools/{name}/workers/filter", {})
