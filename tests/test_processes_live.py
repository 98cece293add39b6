"""A project's server and worker as processes: begun, looked at, and kept by systemd."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import not_run
from living import Living, wait_for
from on_server import begun
from processes import processes, told, typed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(stamp_living: Callable[..., Living]) -> Iterator[Living]:
    """A deployed project with a server and a worker."""
    one = stamp_living(
        "the first",
        project_name="First One",
        work_pool_name='the "slow" pool',
        timezone="Europe/Berlin",
    )
    with one.deployed():
        yield one


def test_an_interrupted_up_goes_on_with_the_same_command(project: Living) -> None:
    wait_for(lambda: "the server is stopped" in project.blueprint("down"))
    records = project.path / ".blueprint"
    moments: list[Callable[[], object]] = [
        lambda: True,
        lambda: (records / "server.json").exists(),
        lambda: project.answers(),
        lambda: (records / "worker.json").exists(),
    ]
    for reached in moments:
        up = typed(project, "up")
        wait_for(lambda reached=reached, up=up: reached() or up.poll() is not None)
        up.send_signal(signal.SIGINT)
        up.wait(timeout=30)
        assert "Traceback" not in told(up)
    project.blueprint("up")
    mine = [" ".join(one.cmdline()) for one in processes(project)]
    assert len([line for line in mine if "prefect server start" in line]) == 1, mine
    assert len([line for line in mine if "blueprint worker" in line]) == 1, mine


def test_the_logs_are_shown_and_followed(project: Living) -> None:
    project.blueprint("up")
    shown = project.blueprint("logs", "server", "--lines", "5").splitlines()
    assert len(shown) == 5
    both = project.blueprint("logs")
    assert "server | " in both
    assert "worker | " in both
    following = typed(project, "logs", "worker", "--follow", "--lines", "0")
    try:
        run = project.api(f"/flow_runs/{begun(project)}")
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


def verified(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(folder), "HOME": str(folder)}
    return subprocess.run(command, env=environment, capture_output=True, text=True)
