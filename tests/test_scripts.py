"""Every script of a stamped project: its help, its shell, its manners; without an environment."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT, not_run
from machines import old_python

SCRIPTS = ROOT / "{{cookiecutter.project_slug}}" / "scripts"
NAMED = sorted(path.name for path in SCRIPTS.iterdir() if path.name[0] not in "_.")
SHELL = sorted(path.name for path in SCRIPTS.glob("*.sh"))
MAKES_NOTHING = ("check_status.sh", "validate_setup.sh", "validate_install.sh")


@pytest.fixture(scope="module")
def stamped(stamp_into: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stamp_into(tmp_path_factory.mktemp("scripts"))


@pytest.fixture
def scripts(stamped: Path, tmp_path: Path) -> Path:
    """The scripts of a project without an environment, in a folder with a blank in its name."""
    return shutil.copytree(stamped, tmp_path / "some where") / "scripts"


def run(
    *command: str | Path, path: str = "/usr/bin:/bin", **env: str
) -> subprocess.CompletedProcess:
    """Run in a bare environment, from the root, without a terminal."""
    return subprocess.run(
        [str(part) for part in command],
        cwd="/",
        env={"PATH": path, "HOME": "/nonexistent", "LANG": "C.UTF-8"} | env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )


def starter(script: str) -> list[str]:
    """What runs a script, where its first line does not: the strictest shell, or this Python."""
    return ["dash"] if script.endswith(".sh") else [sys.executable]


def files(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize("script", NAMED)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_is_answered_without_an_environment_and_leaves_nothing(
    script: str, option: str, scripts: Path
) -> None:
    before = files(scripts.parent)
    done = run(*starter(script), scripts / script, option, CDPATH="/tmp")
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith(f"{script}: ")
    assert "blueprint " not in done.stdout.splitlines()[0]
    assert len(done.stdout.splitlines()) >= 2
    assert files(scripts.parent) == before


@pytest.mark.parametrize("script", NAMED)
def test_a_script_is_executable_and_starts_by_its_name(script: str, scripts: Path) -> None:
    assert os.access(scripts / script, os.X_OK)
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    assert run(scripts / script, "--help", path=path).returncode == 0


def test_the_setup_is_checked_for_each_of_the_scripts() -> None:
    checked = SCRIPTS.parent / "src" / "blueprint" / "checking" / "setup_files.py"
    listed = re.search(r"\nSCRIPTS = \((.*?)\n\)\n", checked.read_text("utf-8"), re.S)
    assert listed
    assert sorted(re.findall(r'"([^"]+)"', listed[1])) == NAMED


@pytest.mark.parametrize("script", SHELL)
def test_shellcheck_finds_nothing_in_posix_sh(script: str) -> None:
    beside = Path(sys.executable).with_name("shellcheck")
    program = str(beside) if beside.exists() else shutil.which("shellcheck")
    if program is None:
        not_run("shellcheck (it comes with requirements-dev.lock)")
    options = ["--shell=sh", "--external-sources", "--source-path=SCRIPTDIR", "--severity=style"]
    done = run(program, *options, SCRIPTS / script)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("script", [name for name in SHELL if name[0] != "_"])
def test_a_script_without_any_python_says_so_and_asks_nothing(
    script: str, scripts: Path, tmp_path: Path
) -> None:
    if script == "make_executable.sh":
        assert run("dash", scripts / script).returncode == 0
        return
    done = run("/bin/dash", scripts / script, path=tools(tmp_path))
    assert done.returncode == 1
    assert "No Python 3.11 to 3.14 was found." in done.stdout


@pytest.mark.parametrize("version", ["3.6", "3.9"])
@pytest.mark.parametrize("script", [*MAKES_NOTHING, "phase1_execute.sh"])
def test_a_python_that_is_too_old_is_named(
    script: str, version: str, scripts: Path, tmp_path: Path
) -> None:
    old = old_python(version, version)
    path = tools(tmp_path)
    Path(path, "python3").symlink_to(old)
    done = run("/bin/dash", scripts / script, path=path, PYENV_ROOT="/nonexistent")
    assert done.returncode == 1
    assert re.search(rf"Python {re.escape(version)}\.\d+.* is too old", done.stdout), done.stdout
    assert not (scripts.parent / ".venv").exists()


@pytest.mark.parametrize("script", MAKES_NOTHING)
def test_a_script_that_only_looks_makes_no_environment_and_names_the_command_that_does(
    script: str, scripts: Path
) -> None:
    before = set(files(scripts.parent))
    done = run("dash", scripts / script)
    assert done.returncode == 1
    assert "There is no environment: .venv is not made yet." in done.stdout
    assert "Mend it: scripts/phase1_execute.sh" in done.stdout
    told = json.loads(run("dash", scripts / script, "--json").stdout)
    assert (told["ok"], told["next"]) == (False, "scripts/phase1_execute.sh")
    assert [phase["state"] for phase in told["phases"]] == ["pending"] * 3
    assert set(files(scripts.parent)) == before


def test_the_validation_for_ci_runs_on_an_old_python_and_says_what_is_missing(
    scripts: Path,
) -> None:
    done = run(old_python("3.8", "3.10"), scripts / "run_validation.py", "--json")
    assert done.returncode == 1
    faults = json.loads(done.stdout)["wrong"]
    assert "There is no environment: .venv is not made yet." in [one["what"] for one in faults]


def test_lost_run_bits_are_given_back(scripts: Path) -> None:
    for name in NAMED:
        (scripts / name).chmod(0o644)
    done = run("dash", scripts / "make_executable.sh")
    assert done.returncode == 0, done.stdout
    assert [name for name in NAMED if not os.access(scripts / name, os.X_OK)] == []
    assert "run_validation.py" in done.stdout
    assert not os.access(scripts / "_look.py", os.X_OK)


def tools(folder: Path) -> str:
    """A PATH of what the scripts call, without a Python."""
    path = folder / "tools"
    path.mkdir()
    for name in ("dirname", "sed"):
        found = shutil.which(name)
        assert found
        (path / name).symlink_to(found)
    return str(path)


def test_only_what_the_command_prints_is_on_stdout(tmp_path: Path) -> None:
    shutil.copytree(SCRIPTS, tmp_path / "scripts")
    (tmp_path / "bootstrap.py").write_text("print('Ready in 4 s: .venv')\n", "utf-8")
    command = tmp_path / ".venv" / "bin" / "blueprint"
    command.parent.mkdir(parents=True)
    command.write_text('#!/bin/sh\necho "{}"\n', "utf-8")
    command.chmod(0o755)
    done = subprocess.run(
        ["dash", str(tmp_path / "scripts" / "redeploy.sh"), "--json"],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "{}\n")
    assert done.stderr == "Ready in 4 s: .venv\n"
