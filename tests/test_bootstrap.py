"""bootstrap.py makes an environment, mends it, or leaves it alone, whatever it meets there."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import BakedProject
from living import wait_for
from machines import BROKEN_UV, OLD_PYTHON, SHIM, UV, Machine, at_most, old_python, program

NO_INDEX = {
    "PIP_INDEX_URL": "http://someone:secret@127.0.0.1:9/simple",
    "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple",
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_FIND_LINKS": "",
    "PIP_EXTRA_INDEX_URL": "",
    "UV_NO_CACHE": "1",
    "no_proxy": "127.0.0.1",
}


def test_the_environment_is_made_with_uv_where_uv_works(machine: Machine) -> None:
    done = machine.with_uv().bootstrap()
    assert done.returncode == 0, done.stdout
    assert re.search(r"Ready in \d+ s", done.stdout)
    locked, project = [line for line in machine.log.read_text().splitlines() if "install" in line]
    assert "--require-hashes -r requirements.lock" in locked and "--compile-bytecode" in locked
    assert "--no-deps --no-build-isolation -e ." in project


def test_a_second_run_is_quick_and_harmless(machine: Machine) -> None:
    machine.with_uv().bootstrap()
    mine = machine.project / ".venv" / "mine.txt"
    mine.write_text("kept")
    with at_most(1):
        assert machine.bootstrap().stdout == ".venv is ready; there is nothing to do.\n"
    assert machine.bootstrap("--quiet").stdout == ""
    assert machine.installs() == 1 and mine.read_text() == "kept"


def test_a_changed_lock_is_installed_over_the_environment(machine: Machine) -> None:
    machine.with_uv().bootstrap()
    mine = machine.project / ".venv" / "mine.txt"
    mine.write_text("kept")
    with (machine.project / "requirements.lock").open("a") as lock:
        lock.write("# moved\n")
    assert machine.bootstrap("--quiet").returncode == 0
    assert machine.installs() == 2 and mine.read_text() == "kept"


def with_extras(machine: Machine, line: str) -> Machine:
    """Edit the one line that says which extras the project has."""
    settings = machine.project / "pyproject.toml"
    text, count = re.subn(r"(?m)^extras = .*$", line, settings.read_text("utf-8"))
    assert count == 1
    settings.write_text(text, "utf-8")
    return machine


@pytest.mark.parametrize(
    ("line", "locks"),
    [
        ('extras = ["cloud"]', ["cloud"]),
        ("extras=['postgres', \"cloud\",]  # both", ["postgres", "cloud"]),
        ("extras = [ ]", []),
        ("", []),
    ],
)
def test_the_locks_of_the_extras_are_installed_with_the_projects_own(
    machine: Machine, line: str, locks: list[str]
) -> None:
    assert with_extras(machine.with_uv(), line).bootstrap().returncode == 0
    wanted = ["requirements.lock", *(f"requirements-{extra}.lock" for extra in locks)]
    assert re.findall(r"-r (\S+)", machine.log.read_text()) == wanted


def test_an_extra_that_is_added_or_whose_lock_moves_is_installed_by_the_next_run(
    machine: Machine,
) -> None:
    machine.with_uv().bootstrap()
    assert with_extras(machine, 'extras = ["cloud"]').bootstrap("--quiet").returncode == 0
    assert machine.installs() == 2
    with (machine.project / "requirements-cloud.lock").open("a") as lock:
        lock.write("# moved\n")
    machine.bootstrap("--quiet")
    assert machine.installs() == 3
    machine.bootstrap("--quiet")
    assert machine.installs() == 3


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('extras = ["clout"]', "the extra 'clout'; there are: cloud, postgres"),
        ('extras = "cloud"', 'one line, as in: extras = ["cloud"]'),
        ('extras = [\n  "cloud"\n]', 'one line, as in: extras = ["cloud"]'),
    ],
)
def test_an_extra_that_is_not_there_stops_with_what_to_write(
    machine: Machine, line: str, said: str
) -> None:
    done = with_extras(machine.with_uv(), line).bootstrap()
    assert done.returncode == 1 and said in done.stdout
    assert not (machine.project / ".venv").exists()


def test_a_moved_project_gets_a_new_environment(machine: Machine) -> None:
    machine.with_uv().bootstrap()
    machine.project = machine.project.rename(machine.project.with_name("moved"))
    assert "Removing .venv" in machine.bootstrap().stdout
    marker = json.loads((machine.project / ".venv" / "blueprint.json").read_text())
    assert marker["folder"] == str(machine.project)


def test_a_moved_environment_is_made_anew_also_by_its_own_python(machine: Machine) -> None:
    machine.with_uv().bootstrap()
    machine.project = machine.project.rename(machine.project.with_name("moved"))
    python = str(machine.project / ".venv" / "bin" / "python")
    done = BakedProject(machine.project).run([python, "bootstrap.py"], machine.env)
    assert done.returncode == 0 and "Removing .venv" in done.stdout
    assert machine.bootstrap("--quiet").stdout == ""


@pytest.mark.parametrize("marker", ["", "{", "[]", '{"folder": "/elsewhere"}'])
def test_a_marker_that_says_nothing_is_no_obstacle(machine: Machine, marker: str) -> None:
    machine.with_uv().bootstrap()
    (machine.project / ".venv" / "blueprint.json").write_text(marker)
    assert machine.bootstrap().returncode == 0
    assert machine.bootstrap("--quiet").stdout == ""


def test_an_interrupted_installation_is_begun_anew(machine: Machine, tmp_path: Path) -> None:
    machine.with_uv(UV + 'case "$*" in *requirements.lock) exec sleep 60;; esac\n')
    out = tmp_path / "said.txt"
    process = machine.begin(out)
    try:
        wait_for(machine.installs)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=60) == 130
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert "Stopped." in out.read_text("utf-8")
    done = machine.with_uv().bootstrap()
    assert done.returncode == 0 and "Removing .venv: it is unfinished" in done.stdout


def test_of_two_at_once_one_makes_the_environment_and_the_other_waits(
    machine: Machine, tmp_path: Path
) -> None:
    go_on = tmp_path / "go-on"
    until = f'while [ ! -e "{go_on}" ]; do sleep 0.1; done'
    machine.with_uv(UV + f'case "$*" in *requirements.lock) {until};; esac\n')
    outs = [tmp_path / "one.txt", tmp_path / "other.txt"]
    both = [machine.begin(out) for out in outs]
    try:
        wait_for(lambda: any("waiting for it" in out.read_text("utf-8") for out in outs))
    finally:
        go_on.touch()
    ended = [one.wait(timeout=60) for one in both]
    said = [out.read_text("utf-8") for out in outs]
    assert ended == [0, 0], said
    assert machine.installs() == 1
    assert sum("waiting for it" in text for text in said) == 1


@pytest.mark.parametrize("python", [SHIM, OLD_PYTHON], ids=["dead", "unsupported"])
def test_an_environment_whose_python_will_not_do_is_made_anew(
    machine: Machine, python: str
) -> None:
    machine.with_uv().bootstrap()
    (machine.project / ".venv" / "bin" / "python").unlink()
    program(machine.project / ".venv" / "bin", "python", python)
    done = machine.bootstrap()
    assert done.returncode == 0 and "Removing .venv" in done.stdout
    assert machine.bootstrap("--quiet").stdout == ""


def test_an_environment_of_ones_own_is_filled_and_not_removed(machine: Machine) -> None:
    venv = [sys.executable, "-m", "venv", "--without-pip", str(machine.project / ".venv")]
    subprocess.run(venv, check=True)
    (machine.project / ".venv" / "mine.txt").write_text("kept")
    assert machine.with_uv().bootstrap().returncode == 0
    assert (machine.project / ".venv" / "mine.txt").read_text() == "kept"


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_what_is_no_environment_is_never_removed(machine: Machine, kind: str) -> None:
    venv = machine.project / ".venv"
    if kind == "file":
        venv.write_text("kept")
    else:
        there = venv if kind == "folder" else machine.project / "elsewhere"
        there.mkdir()
        (there / "mine.txt").write_text("kept")
        if kind == "link":
            venv.symlink_to(there)
    done = machine.with_uv().bootstrap()
    assert done.returncode == 1 and "is no virtual environment of this project" in done.stdout
    kept = venv if kind == "file" else venv / "mine.txt"
    assert kept.read_text() == "kept"


def test_a_chosen_python_that_does_not_fit_stops_with_its_name(machine: Machine) -> None:
    old = program(machine.bin, "old-python", OLD_PYTHON)
    done = machine.with_uv().bootstrap(BLUEPRINT_PYTHON=str(old))
    assert done.returncode == 1
    assert "BLUEPRINT_PYTHON" in done.stdout and str(old) in done.stdout
    assert "3.11 to 3.14" in done.stdout and not (machine.project / ".venv").exists()


def test_names_on_the_path_that_run_nothing_are_not_believed(machine: Machine) -> None:
    for name in ("python3", "python", "python3.11", "python3.12", "python3.13", "python3.14"):
        program(machine.bin, name, SHIM)
    # Started by a Python that is too old itself, on a PATH of nothing but shims.
    start = (
        f"import sys, runpy; sys.executable = {str(machine.bin / 'python3')!r}\n"
        "runpy.run_path('bootstrap.py', run_name='__main__')"
    )
    env = machine.env | {"PATH": str(machine.bin)}
    done = BakedProject(machine.project).run([sys.executable, "-c", start], env)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "Python 3.11 to 3.14 that runs" in done.stdout
    assert done.stdout.endswith(f"in {machine.project}:\n    python3 bootstrap.py\n")


def test_a_real_python_stands_behind_a_shim_of_the_same_name(machine: Machine) -> None:
    name = f"python3.{sys.version_info.minor}"
    shim = program(machine.bin, name, SHIM)
    real = machine.bin.parent / "behind"
    real.mkdir()
    (real / name).symlink_to(Path(sys.executable).resolve())
    start = (
        f"import sys, runpy; sys.executable = {str(shim)!r}\n"
        "runpy.run_path('bootstrap.py', run_name='__main__')"
    )
    env = machine.with_uv().env | {"PATH": f"{machine.bin}:{real}:/usr/bin:/bin"}
    done = BakedProject(machine.project).run([sys.executable, "-c", start], env)
    assert done.returncode == 0, done.stdout + done.stderr


def test_without_network_the_index_and_the_one_command_are_named(machine: Machine) -> None:
    begun = time.monotonic()
    done = machine.with_uv(BROKEN_UV).bootstrap(**NO_INDEX)
    assert time.monotonic() - begun < 60
    assert done.returncode == 1
    assert "uv could not do it (error: invalid peer certificate: UnknownIssuer)" in done.stdout
    assert "index http://127.0.0.1:9/simple could not be reached" in done.stdout
    assert "secret" not in done.stdout
    assert done.stdout.endswith(f"in {machine.project}:\n    python3 bootstrap.py\n")


def test_bootstrap_itself_runs_on_an_old_python(machine: Machine) -> None:
    env = machine.with_uv().env | {"PATH": f"{machine.bin}:{Path(sys.executable).parent}:/bin"}
    command = [old_python("3.8", "3.10"), "bootstrap.py"]
    done = BakedProject(machine.project).run(command, env)
    assert done.returncode == 0, done.stdout + done.stderr
