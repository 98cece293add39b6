"""The real hooks and the real bootstrap.py, where things are not as they should be.

Most tests put a `uv` of their own on the PATH that makes a bare environment and installs nothing:
what is tested is what bootstrap.py does about it, in a fraction of a second.
"""

from __future__ import annotations

import ast
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import BakedProject, not_run

# Logs how it was called; makes environments with the Python that it is given; installs nothing.
UV = """#!/bin/sh
echo "$*" >> "{log}"
[ "$1" != venv ] || exec "{python}" -m venv --without-pip "$4"
"""
BROKEN_UV = """#!/bin/sh
[ "$1" != --version ] || exit 0
echo "error: invalid peer certificate: UnknownIssuer" >&2
exit 2
"""
SHIM = """#!/bin/sh
echo "pyenv: $0: command not found" >&2
exit 127
"""
OLD_PYTHON = """#!/bin/sh
echo '["3.10", "/usr/bin/python3.10", true]'
"""
NO_INDEX = {
    "PIP_INDEX_URL": "http://someone:secret@127.0.0.1:9/simple",
    "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple",
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_FIND_LINKS": "",
    "PIP_EXTRA_INDEX_URL": "",
    "UV_NO_CACHE": "1",
    "no_proxy": "127.0.0.1",
}


def program(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, "utf-8")
    path.chmod(0o755)
    return path


class Machine:
    """A machine with a PATH and a home of its own, on which a project is bootstrapped."""

    def __init__(self, folder: Path, project: Path) -> None:
        self.bin, self.project, self.log = folder / "bin", project, folder / "uv.log"
        self.env = {"PATH": f"{self.bin}:/usr/bin:/bin", "HOME": str(folder), "PYENV_ROOT": "/no"}

    def with_uv(self, text: str = UV) -> Machine:
        program(self.bin, "uv", text.format(log=self.log, python=sys.executable))
        return self

    def bootstrap(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "bootstrap.py", *arguments]
        done = BakedProject(self.project).run(command, self.env | env)
        assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
        return done

    def installs(self) -> int:
        """How often the locked packages were installed."""
        return self.log.read_text().count("requirements.lock") if self.log.exists() else 0


@pytest.fixture
def machine(tmp_path: Path, template: Path) -> Machine:
    """A stamped project of bootstrap.py and what it reads, in a folder with a hard name."""
    project = tmp_path / """Ann's "Q3" füß $(id)"""
    source = next(template.glob("*/bootstrap.py")).parent
    project.mkdir()
    for path in (source / "bootstrap.py", source / "pyproject.toml", *source.glob("*.lock")):
        shutil.copy(path, project)
    return Machine(tmp_path / "machine", project)


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
    begun = time.monotonic()
    assert machine.bootstrap().stdout == ".venv is ready; there is nothing to do.\n"
    assert time.monotonic() - begun < 1
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


def test_an_interrupted_installation_is_begun_anew(machine: Machine) -> None:
    machine.with_uv(UV + 'case "$*" in *requirements.lock) exec sleep 60;; esac\n')
    environ = {**os.environ, **machine.env}
    process = subprocess.Popen(
        [sys.executable, "bootstrap.py"],
        cwd=machine.project,
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 20
        while not machine.installs() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.2)
        os.killpg(process.pid, signal.SIGINT)
        said = process.communicate(timeout=10)[0]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130 and "Stopped." in said
    done = machine.with_uv().bootstrap()
    assert done.returncode == 0 and "Removing .venv: it is unfinished" in done.stdout


def test_of_two_at_once_one_makes_the_environment_and_the_other_waits(machine: Machine) -> None:
    machine.with_uv(UV + 'case "$*" in *requirements.lock) exec sleep 2;; esac\n')
    start = [sys.executable, "bootstrap.py"]
    pipes = {"stdout": subprocess.PIPE, "text": True}
    both = [
        subprocess.Popen(start, cwd=machine.project, env={**os.environ, **machine.env}, **pipes)
        for _ in range(2)
    ]
    said = [one.communicate(timeout=60)[0] for one in both]
    assert [one.returncode for one in both] == [0, 0], said
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


def old_python(oldest: str, newest: str) -> str:
    """A Python of such an age, that runs."""
    names = [f"3.{minor}" for minor in range(int(oldest[2:]), int(newest[2:]) + 1)]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = [str(path) for name in names for path in pyenv.glob(f"{name}.*/bin/python")]
    found += [path for name in names if (path := shutil.which(f"python{name}"))]
    for path in found:
        if subprocess.run([path, "-c", ""], capture_output=True).returncode == 0:
            return path
    not_run(f"no Python {oldest} to {newest} is installed")
    raise AssertionError


def test_bootstrap_itself_runs_on_an_old_python(machine: Machine) -> None:
    env = machine.with_uv().env | {"PATH": f"{machine.bin}:{Path(sys.executable).parent}:/bin"}
    command = [old_python("3.8", "3.10"), "bootstrap.py"]
    done = BakedProject(machine.project).run(command, env)
    assert done.returncode == 0, done.stdout + done.stderr


def test_pre_prompt_is_readable_for_python_2_and_3_5(template: Path) -> None:
    text = (template / "hooks" / "pre_prompt.py").read_text("ascii")
    ast.parse(text, feature_version=(3, 4))
    # What Python 2 would not read, or not read alike.
    assert not re.search(r"""(?m)\bf["']|\bprint\b|\bnonlocal\b|->|:=|\basync\b""", text)
    assert "{{" not in text, "cookiecutter does not render it"


def test_both_hooks_that_check_the_python_ask_for_the_same(template: Path) -> None:
    texts = [(template / "hooks" / f"{name}.py").read_text() for name in ("pre_prompt",)]
    texts.append((template / "hooks" / "pre_gen_project.py").read_text("utf-8"))
    assert [re.findall(r"\(3, (\d+)\)", text) for text in texts] == [["9"], ["9"]]


def test_a_python_too_old_for_the_hooks_is_told_so(template: Path, tmp_path: Path) -> None:
    python = old_python("3.6", "3.8")
    rendered = (template / "hooks" / "pre_gen_project.py").read_text("utf-8")
    rendered = re.sub(r"r'''\{\{.*\}\}'''", "'{}'", rendered)
    pre_gen = tmp_path / "pre_gen_project.py"
    pre_gen.write_text(rendered, "utf-8")
    for hook in (template / "hooks" / "pre_prompt.py", pre_gen):
        done = subprocess.run([python, str(hook)], capture_output=True, text=True)
        assert done.returncode == 1
        assert "3.9 or newer" in done.stderr and "Traceback" not in done.stderr


def test_pre_prompt_lets_this_python_pass(template: Path) -> None:
    subprocess.run([sys.executable, str(template / "hooks" / "pre_prompt.py")], check=True)


@pytest.fixture
def on(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Cookiecutter itself runs on this machine."""
    for key, value in machine.env.items():
        monkeypatch.setenv(key, value)
    return machine


def test_a_stamp_ends_with_an_environment_and_the_next_commands(
    on: Machine, bake: Callable[..., BakedProject], capfd: pytest.CaptureFixture[str]
) -> None:
    on.with_uv()
    project = bake(create_venv=True)
    said = capfd.readouterr().out
    assert (project.path / ".venv" / "bin" / "python").exists()
    steps = [f"cd {project.path}", "scripts/execute_all_phases.sh", "git init"]
    assert sorted(steps, key=said.index) == steps
    assert "python3 bootstrap.py" not in said
    assert not (project.path / ".git").exists(), "the hook makes no repository"


def test_a_project_whose_environment_cannot_be_made_stays(
    on: Machine,
    bake: Callable[..., BakedProject],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("BLUEPRINT_PYTHON", str(program(on.bin, "old-python", OLD_PYTHON)))
    project = bake(create_venv=True)
    assert (project.path / "prefect.yaml").exists() and not (project.path / ".venv").exists()
    said = capfd.readouterr().out
    assert "python3 bootstrap.py    # finishes the environment" in said


def test_a_stamp_without_an_environment_names_the_command_that_makes_it(
    bake: Callable[..., BakedProject], capfd: pytest.CaptureFixture[str]
) -> None:
    assert not (bake(create_venv=False).path / ".venv").exists()
    assert "python3 bootstrap.py    # makes the environment" in capfd.readouterr().out


@pytest.mark.parametrize(
    "bootstrap",
    [None, "raise SystemExit(1)", "raise KeyboardInterrupt", "import os; os.kill(os.getpid(), 9)"],
)
def test_post_gen_never_fails_and_never_removes_a_file(
    template: Path, tmp_path: Path, bootstrap: str | None
) -> None:
    project = tmp_path / "it's here"
    project.mkdir()
    (project / "mine.txt").write_text("kept")
    if bootstrap:
        (project / "bootstrap.py").write_text(bootstrap)
    hook = tmp_path / "post_gen_project.py"
    text = (template / "hooks" / "post_gen_project.py").read_text("utf-8")
    hook.write_text(re.sub(r"\{\{.*\}\}", '{"create_venv": true}', text), "utf-8")
    done = subprocess.run([sys.executable, str(hook)], cwd=project, capture_output=True, text=True)
    assert done.returncode == 0
    assert (project / "mine.txt").read_text() == "kept"
    line = next(line for line in done.stdout.splitlines() if line.startswith("    cd "))
    assert subprocess.check_output(["sh", "-c", f"{line} && pwd"], text=True) == f"{project}\n"


def test_stamping_over_a_project_with_f_is_quick_and_keeps_its_environment(
    on: Machine, stamp_into: Callable[..., Path], capfd: pytest.CaptureFixture[str]
) -> None:
    on.with_uv()
    folder = on.project.parent / "stamped"
    project = stamp_into(folder, create_venv=True)
    for name in (".venv/mine.txt", "mine.py"):
        (project / name).write_text("kept")
    begun = time.monotonic()
    assert stamp_into(folder, overwrite=True, create_venv=True) == project
    assert time.monotonic() - begun < 3
    assert on.installs() == 1 and ".venv is ready" in capfd.readouterr().out
    assert [(project / name).read_text() for name in (".venv/mine.txt", "mine.py")] == ["kept"] * 2


def test_a_bad_answer_with_f_leaves_the_project_as_it_is(
    on: Machine, stamp_into: Callable[..., Path]
) -> None:
    folder = on.project.parent / "stamped"
    project = stamp_into(folder)
    (project / "prefect.yaml").write_text("edited")
    before = sorted(project.rglob("*"))
    with pytest.raises(Exception, match="Hook script failed"):
        stamp_into(folder, overwrite=True, schedule="never")
    assert (project / "prefect.yaml").read_text() == "edited"
    assert sorted(project.rglob("*")) == before


def installed_project(
    stamp_into: Callable[..., Path], folder: Path, path: str, patch: pytest.MonkeyPatch
) -> tuple[BakedProject, float]:
    """A project with a real environment, and how long the whole stamp took."""
    patch.setenv("PATH", path)
    patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    begun = time.monotonic()
    project = BakedProject(stamp_into(folder / 'it\'s "real"', create_venv=True))
    took = time.monotonic() - begun
    check = "import prefect, duckdb, data_pipeline; print(data_pipeline.__file__)"
    done = project.run([str(project.path / ".venv" / "bin" / "python"), "-I", "-c", check])
    assert done.stdout.strip().startswith(str(project.path / "src")), done.stderr
    return project, took


@pytest.mark.slow
def test_a_real_environment_is_made_with_uv_and_prefect_reads_our_schedules_alike(
    stamp_into: Callable[..., Path],
    template: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    if not shutil.which("uv", path=path):
        not_run("uv is not installed")
    project, _ = installed_project(stamp_into, tmp_path, path, monkeypatch)
    assert "with uv" in capfd.readouterr().out
    assert list(project.path.glob(".venv/lib/*/site-packages/prefect/__pycache__/*.pyc"))
    accepted = accepted_schedules(template, 400)
    compare = """
import datetime, json, sys
from prefect.client.schemas.schedules import CronSchedule
from prefect._vendor.croniter import croniter
for text in json.load(sys.stdin):
    CronSchedule(cron=text, timezone="UTC")
    croniter(text, datetime.datetime(2026, 1, 1)).get_next()
"""
    python = str(project.path / ".venv" / "bin" / "python")
    done = subprocess.run(
        [python, "-I", "-c", compare], input=json.dumps(accepted), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-800:]


@pytest.mark.slow
def test_a_real_environment_is_made_with_pip_where_uv_fails(
    stamp_into: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    program(tmp_path / "bin", "uv", BROKEN_UV)
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    installed_project(stamp_into, tmp_path, path, monkeypatch)
    said = capfd.readouterr().out
    assert "UnknownIssuer), so pip does." in said and "with pip" in said


def accepted_schedules(template: Path, count: int) -> list[str]:
    """Random schedules that our check accepts."""
    text = (template / "hooks" / "pre_gen_project.py").read_text("utf-8")
    hook: dict[str, Any] = {"__name__": "pre_gen_project"}
    exec(re.sub(r"r'''\{\{.*\}\}'''", "'{}'", text), hook)
    chance, found = random.Random(3), []

    def part(low: int, high: int, names: list[str]) -> str:
        words = [*map(str, range(low - 1, high + 2)), *names, "*", "*", "*"]
        text = chance.choice(words)
        text += chance.choice(["", "", "-" + chance.choice(words)])
        return text + chance.choice(["", "", f"/{chance.randint(0, high)}"])

    while len(found) < count:
        fields = [
            ",".join(part(*field) for _ in range(chance.choice([1, 1, 2])))
            if chance.random() < 0.6
            else "*"
            for field in hook["FIELDS"]
        ]
        if not hook["fault"]("schedule", " ".join(fields), ""):
            found.append(" ".join(fields))
    return found
