"""The real hooks: whom they let pass, what they say, and the environment that a stamp ends with."""

from __future__ import annotations

import ast
import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import BakedProject, not_run
from hook_code import loaded, rendered
from machines import BROKEN_UV, OLD_PYTHON, Machine, at_most, old_python, program


def test_pre_prompt_is_readable_for_python_2_and_3_5(template: Path) -> None:
    text = (template / "hooks" / "pre_prompt.py").read_text("ascii")
    ast.parse(text, feature_version=(3, 4))
    # What Python 2 would not read, or not read alike.
    assert not re.search(r"""(?m)\bf["']|\bprint\b|\bnonlocal\b|->|:=|\basync\b""", text)
    assert "{{" not in text, "cookiecutter does not render it"


def test_both_hooks_that_check_the_python_ask_for_the_same(template: Path) -> None:
    names = ("pre_prompt", "pre_gen_project")
    texts = [(template / "hooks" / f"{name}.py").read_text("utf-8") for name in names]
    assert [re.findall(r"\(3, (\d+)\)", text) for text in texts] == [["9"], ["9"]]


def test_a_python_too_old_for_the_hooks_is_told_so(template: Path, tmp_path: Path) -> None:
    python = old_python("3.6", "3.8")
    pre_gen = tmp_path / "pre_gen_project.py"
    pre_gen.write_text(rendered("pre_gen_project"), "utf-8")
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
    tmp_path: Path, bootstrap: str | None
) -> None:
    project = tmp_path / "it's here"
    project.mkdir()
    (project / "mine.txt").write_text("kept")
    if bootstrap:
        (project / "bootstrap.py").write_text(bootstrap)
    hook = tmp_path / "post_gen_project.py"
    hook.write_text(rendered("post_gen_project", create_venv=True), "utf-8")
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
    with at_most(3):
        assert stamp_into(folder, overwrite=True, create_venv=True) == project
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


@pytest.fixture
def installed(
    stamp_into: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], BakedProject]:
    """Stamp a project with a real environment, where this is the PATH."""

    def installed(path: str) -> BakedProject:
        monkeypatch.setenv("PATH", path)
        monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        project = BakedProject(stamp_into(tmp_path / 'it\'s "real"', create_venv=True))
        check = "import prefect, duckdb, data_pipeline; print(data_pipeline.__file__)"
        done = project.run([str(project.path / ".venv" / "bin" / "python"), "-I", "-c", check])
        assert done.stdout.strip().startswith(str(project.path / "src")), done.stderr
        return project

    return installed


@pytest.mark.slow
def test_a_real_environment_is_made_with_uv_and_prefect_reads_our_schedules_alike(
    installed: Callable[[str], BakedProject], capfd: pytest.CaptureFixture[str]
) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    if not shutil.which("uv", path=path):
        not_run("uv is not installed")
    project = installed(path)
    assert "with uv" in capfd.readouterr().out
    assert list(project.path.glob(".venv/lib/*/site-packages/prefect/__pycache__/*.pyc"))
    accepted = accepted_schedules(400)
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
    installed: Callable[[str], BakedProject], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    program(tmp_path / "bin", "uv", BROKEN_UV)
    installed(f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    said = capfd.readouterr().out
    assert "UnknownIssuer), so pip does." in said and "with pip" in said


def accepted_schedules(count: int) -> list[str]:
    """Random schedules that our check accepts."""
    hook = loaded("pre_gen_project")
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
