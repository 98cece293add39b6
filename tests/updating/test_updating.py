"""An update goes to the version that is asked for, or says what is in its way and changes nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
import yaml
from conftest import commit_all
from histories import Template, git, project_of, replace

from .projects import Project, at, grow

pytestmark = pytest.mark.slow


def test_the_answers_are_held_against_those_that_the_newer_template_asks(
    project: Project, upstream: Template
) -> None:
    def change() -> None:
        questions = upstream.path / "copier.yml"
        # The pool's name becomes a choice of two, of which this project has none.
        replace(
            questions, "  default: local-process-pool\n", "  choices: [one, two]\n  default: one\n"
        )
        replace(
            questions,
            "\ncreate_venv:\n",
            "\nteam:\n  type: str\n  default: nobody\n\ncreate_venv:\n",
        )
        replace(
            upstream.file(".copier-answers.yml"),
            "create_venv: {{ cookiecutter.create_venv | lower }}",
            "create_venv: {{ cookiecutter.create_venv | lower }}\nteam: '{{ team }}'",
        )

    upstream.release("0.2.0", change)
    before = project.state()
    printed = project.blueprint("update", code=1)
    assert 'does not take work_pool_name="it\'s the pool" any more' in printed
    assert "blueprint update work_pool_name=..." in printed
    printed = project.blueprint("update", "work_pool_name=two", "teem=x", code=1)
    assert "no question 'teem'" in printed and "team" in printed
    printed = project.blueprint("update", "work_pool_name=three", code=1)
    assert "work_pool_name is 'three': 'three' is not in ['one', 'two']" in printed
    assert project.state() == before
    printed = project.blueprint("update", "work_pool_name=two")
    assert "a new question, team, has its default: 'nobody'" in printed
    assert (
        yaml.safe_load(project.read("prefect.yaml"))["deployments"][0]["work_pool"]["name"] == "two"
    )


def test_an_untagged_head_is_reached_by_name_and_is_no_reason_to_go_back(
    project: Project, upstream: Template
) -> None:
    news = upstream.file("src/ingest/news.py")
    upstream.release("", lambda: news.write_text('"""New."""\n', "utf-8") and None)
    assert "nothing to bring in" in project.blueprint("update")
    news.write_text('"""A draft."""\n', "utf-8")
    assert "changes that are not committed" in project.blueprint("update", "--vcs-ref=HEAD", code=1)
    git(upstream.path, "checkout", "--quiet", ".")
    printed = project.blueprint("update", "--vcs-ref=HEAD")
    assert "v0.1.0 became v0.1.0-1-g" in printed
    commit_all(project.path, "Update")
    assert "nothing newer" in project.blueprint("update", "--check")
    assert "nothing to bring in" in project.blueprint("update")
    assert "newer than what was asked for" in project.blueprint(
        "update", "--vcs-ref=v0.1.0", code=1
    )
    upstream.release("0.2.0")
    told = json.loads(project.blueprint("update", "--check", "--json", code=2))
    assert told["behind"] is True and told["newest"] == "0.2.0"
    assert "has no 'v7'" in project.blueprint("update", "--vcs-ref=v7", code=1)


def test_a_changed_lock_brings_the_environment_up_to_date(
    project: Project, upstream: Template
) -> None:
    lock = upstream.file("requirements.lock")
    upstream.release("0.2.0", lambda: replace(lock, "# Every package", "# Each package"))
    # What it does is its own test's; here it notes that it was called, or fails.
    project.write("bootstrap.py", "import sys, pathlib\npathlib.Path('.venv/called').touch()\n")
    (project.path / ".venv").mkdir()
    commit_all(project.path, "A bootstrap of ours")
    assert "requirements.lock changed, so the environment" in project.blueprint("update")
    assert (project.path / ".venv" / "called").exists()
    git(project.path, "restore", "--staged", "--worktree", ".")
    project.write("bootstrap.py", "raise SystemExit('no network')\n")
    commit_all(project.path, "A bootstrap that fails")
    printed = project.blueprint("update", code=1)
    assert "no network" in printed and "Finish it with: python3 bootstrap.py" in printed
    git(project.path, "restore", "--staged", "--worktree", ".")
    stopped = "import os, signal, time\nos.kill(os.getppid(), signal.{})\ntime.sleep(60)\n"
    for name, code in (("SIGINT", 130), ("SIGTERM", 143)):
        project.write("bootstrap.py", stopped.format(name))
        commit_all(project.path, f"A bootstrap that meets {name}")
        printed = project.blueprint("update", code=code)
        assert "stopped, when the changes were staged already" in printed
        assert "still to be done: python3 bootstrap.py" in printed
        assert "M  requirements.lock" in project.status()
        git(project.path, "restore", "--staged", "--worktree", ".")


def test_what_is_missing_is_told_with_the_commands_before_anything_is_tried(
    upstream: Template, stamped: Path, tools: Path, tmp_path: Path
) -> None:
    path = project_of(upstream, stamped, tmp_path / "orders")
    project = at(path, tools)
    begin = 'git add . && git commit -m "Stamp the pipeline"'
    printed = project.blueprint("update", code=1)
    assert "is no git repository" in printed and f"git init && {begin}" in printed
    git(path, "init", "--quiet")
    printed = project.blueprint("reconfigure", "timezone=UTC", code=1)
    assert "has no commit yet" in printed and begin in printed
    commit_all(path, "Stamped")
    project.write("src/data_pipeline/new.py", "")
    printed = project.blueprint("update", code=1)
    assert "?? src/data_pipeline/new.py" in printed and "git stash" in printed
    commit_all(path, "Ours")
    nothing = tmp_path / "empty"
    nothing.mkdir()
    assert "git is not there" in project.blueprint("update", code=1, PATH=str(nothing))

    answers = path / ".copier-answers.yml"
    text = answers.read_text("utf-8")
    answers.unlink()
    assert "git checkout HEAD -- .copier-answers.yml" in project.blueprint("update", code=1)
    commit_all(path, "Gone")
    printed = project.blueprint("update", code=1)
    (command,) = [line.strip() for line in printed.splitlines() if "git checkout" in line]
    subprocess.run(command, shell=True, cwd=path, check=True)
    assert answers.read_text("utf-8") == text
    for wrong, told in (
        ("- a\n", "holds no answers"),
        (": [", "is not YAML"),
        (text.replace("_commit:", "_comit:"), "does not say of which version"),
        (text.replace(str(upstream.path), "gone/away"), "is relative"),
        (text.replace(str(upstream.path), "/nowhere/at/all"), "Has it moved?"),
        (text.replace(str(upstream.path), f"file://{upstream.path}"), "write git+file://"),
    ):
        answers.write_text(wrong, "utf-8")
        commit_all(path, "By hand")
        assert told in project.blueprint("update", code=1)


def test_a_template_that_cannot_be_read_is_told_in_words(
    project: Project, upstream: Template, tmp_path: Path
) -> None:
    answers = project.path / ".copier-answers.yml"
    text = answers.read_text("utf-8")
    folder = tmp_path / "no repository"
    folder.mkdir()
    for old, new, told in (
        (str(upstream.path), f"git+file://{tmp_path}/none", "could not be read: fatal: "),
        (str(upstream.path), str(folder), "is no git repository that copier knows"),
        ("v0.1.0", "v0.0.7", "has no version v0.0.7"),
        ("'0 9 * * *'", "'0 9 * *'", "an answer that the template refuses: schedule"),
    ):
        answers.write_text(text.replace(old, new), "utf-8")
        commit_all(project.path, "By hand")
        before = project.state()
        assert told in project.blueprint("update", code=1)
        assert project.state() == before


def test_without_a_package_index_it_says_so_and_how_to_go_on(project: Project) -> None:
    (project.path / ".blueprint" / "copier").unlink()
    nowhere = "http://127.0.0.1:9/simple"
    indexes = dict.fromkeys(("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"), nowhere)
    offline = {"PIP_NO_CACHE_DIR": "1", "UV_NO_CACHE": "1"}
    before = project.state()
    printed = project.blueprint("update", code=1, **indexes, **offline)
    assert "the package index could not be reached" in printed
    assert "blueprint update --check" in printed
    assert project.state() == before
    assert not (project.path / ".blueprint" / "copier").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_whoever_stops_it_finds_everything_as_it_was(
    project: Project, upstream: Template, number: signal.Signals
) -> None:
    upstream.release("0.2.0", lambda: grow(upstream))
    before = project.state()
    started = subprocess.Popen(
        project.command("update"),
        env=project.environment(PYTHONUNBUFFERED="1"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert started.stdout
    for line in started.stdout:
        if "merging" in line:
            break
    else:
        pytest.fail("it never began to merge")
    # As a terminal does it: to all of the command's processes.
    os.killpg(started.pid, number)
    said = started.stdout.read()
    assert started.wait(60) == 128 + number
    assert "Traceback" not in said
    assert project.state() == before
    assert list(project.temporary.iterdir()) == []
    assert "v0.1.0 became v0.2.0" in project.blueprint("update")


def test_neither_needs_prefect(project: Project) -> None:
    code = (
        "import sys, blueprint.cli, blueprint.updating.work, blueprint.commands.updates;"
        "print([name for name in sys.modules if name.partition('.')[0] in ('prefect', 'copier')])"
    )
    done = subprocess.run(
        [str(project.tools / ".venv/bin/python"), "-c", code],
        env=project.environment(),
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "[]\n"
