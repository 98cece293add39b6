"""Cookiecutter's other ways to stamp, and cruft: each does what docs/STAMPING.md says of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import add_line, commit_all
from questions import VERSION, noted


class User:
    """Someone with settings, a replay folder and a working folder of their own."""

    def __init__(self, home: Path, template: Path) -> None:
        self.home, self.template, self.said = home, template, ""
        self.config = home / "config.yaml"
        self.configure()

    def configure(self, **defaults: Any) -> None:
        folders = {"cookiecutters_dir": "templates", "replay_dir": "replay"}
        settings = {key: str(self.home / name) for key, name in folders.items()}
        self.config.write_text(yaml.safe_dump({**settings, "default_context": defaults}), "utf-8")

    def stamp(self, *arguments: str, replay: bool = False) -> bool:
        """Whether `cookiecutter …` worked."""
        options = [] if replay else ["--no-input"]
        template, config = str(self.template), str(self.config)
        command = [sys.executable, "-m", "cookiecutter", *options, "--config-file", config]
        done = subprocess.run(
            [*command, *[one for one in arguments if one.startswith("-")], template]
            + [one for one in arguments if not one.startswith("-")],
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        self.said = done.stdout + done.stderr
        return done.returncode == 0

    def cruft(self, *arguments: str, cwd: str = ".") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cruft", *arguments]
        return subprocess.run(command, cwd=self.home / cwd, capture_output=True, text=True)


@pytest.fixture
def user(tmp_path: Path, small: Path) -> User:
    home = tmp_path / "user"
    home.mkdir()
    return User(home, small)


def status(project: Path) -> str:
    return subprocess.check_output(["git", "status", "--porcelain"], cwd=project, text=True)


def test_a_replay_stamps_the_last_project_again_and_knows_only_that_one(user: User) -> None:
    assert user.stamp("project_slug=first", "timezone=Asia/Kolkata", "create_venv=no")
    before = noted(user.home / "first")
    commit_all(user.home / "first", "Stamp")
    assert user.stamp("--replay", "--overwrite-if-exists", replay=True), user.said
    assert noted(user.home / "first") == before and status(user.home / "first") == ""
    assert user.stamp("project_slug=second", "create_venv=no")
    (user.home / "first").rename(user.home / "kept")
    assert not user.stamp("--replay", replay=True)
    assert "second" in user.said and "already exists" in user.said


def test_a_replayed_file_is_checked_and_its_version_is_that_of_the_template(user: User) -> None:
    assert user.stamp("project_slug=first", "create_venv=no")
    (stored,) = (user.home / "replay").glob("*.json")
    told = json.loads(stored.read_text("utf-8"))
    file = user.home / "mine.json"
    # As a file is that an older version of the template wrote.
    told["cookiecutter"] |= {"project_slug": "again", "_template_version": "0.0.1", "gone: [": {}}
    file.write_text(json.dumps(told), "utf-8")
    add_line(user.template, "Released.", tag=f"v{VERSION}")
    assert user.stamp(f"--replay-file={file}", replay=True), user.said
    assert noted(user.home / "again") == noted(user.home / "first") | {
        "_commit": f"v{VERSION}",
        "project_slug": "again",
    }
    told["cookiecutter"] |= {"project_slug": "third", "schedule": "60 * * * *"}
    file.write_text(json.dumps(told), "utf-8")
    assert not user.stamp(f"--replay-file={file}", replay=True)
    assert "schedule is '60 * * * *': '60' is none of these" in user.said
    assert not (user.home / "third").exists()


def test_the_replayed_version_of_a_template_without_git_is_the_templates(
    user: User, template: Path
) -> None:
    user.template = template
    assert user.stamp("project_slug=first", "create_venv=no")
    (stored,) = (user.home / "replay").glob("*.json")
    told = stored.read_text("utf-8").replace(f'"{VERSION}"', '"0.0.1"').replace("first", "again")
    stored.write_text(told, "utf-8")
    assert user.stamp("--replay", replay=True), user.said
    assert noted(user.home / "again")["_commit"] == f"v{VERSION}"


def test_settings_give_defaults_that_are_checked_like_typed_ones(user: User) -> None:
    user.configure(timezone="Asia/Kolkata", work_pool_name="our pool", create_venv="no", other=1)
    assert user.stamp("project_slug=first", "timezone=Europe/Berlin")
    found = noted(user.home / "first")
    assert (found["timezone"], found["work_pool_name"]) == ("Europe/Berlin", "our pool")
    assert found["create_venv"] is False and "other" not in found
    user.configure(work_pool_name="prefect-x", timezone="Asia/Kolkatta")
    assert not user.stamp("project_slug=second")
    assert "work_pool_name is 'prefect-x'" in user.said and "timezone is" in user.said
    assert not (user.home / "second").exists()


def test_stamping_over_edits_that_git_has_not_got_is_refused_and_names_them(user: User) -> None:
    assert user.stamp("project_slug=first", "create_venv=no")
    project = user.home / "first"
    commit_all(project, "Stamp")
    (project / "prefect.yaml").write_text("mine", "utf-8")
    (project / "new.py").write_text("mine", "utf-8")
    again = ("--overwrite-if-exists", "project_slug=first", "schedule=1 1 * * *", "create_venv=no")
    assert not user.stamp(*again)
    assert "-f would overwrite what git has not got yet" in user.said
    assert " M prefect.yaml\n?? new.py" in user.said
    assert (project / "prefect.yaml").read_text("utf-8") == "mine"
    commit_all(project, "Mine")
    assert user.stamp(*again), user.said
    assert status(project) == " M .copier-answers.yml\n M README.md\n M prefect.yaml\n"
    assert (project / "new.py").read_text("utf-8") == "mine"


AGAIN = ("--overwrite-if-exists", "project_slug=first", "create_venv=no")


def test_where_git_cannot_say_what_it_has_nothing_is_stamped_over_and_its_words_are_shown(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert user.stamp("project_slug=first", "create_venv=no")
    project = user.home / "first"
    commit_all(project, "Stamp")
    (project / "prefect.yaml").write_text("mine", "utf-8")
    # As if another account owned the repository.
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert not user.stamp(*AGAIN)
    assert "git cannot say" in user.said and "detected dubious ownership" in user.said
    monkeypatch.delenv("GIT_TEST_ASSUME_DIFFERENT_OWNER")
    (project / ".git").rename(project / "repository")
    (project / ".git").write_text("gitdir: /gone", "utf-8")
    assert not user.stamp(*AGAIN)
    assert "git cannot say" in user.said and "not a git repository: /gone" in user.said
    assert (project / "prefect.yaml").read_text("utf-8") == "mine"


def test_a_project_in_no_repository_is_stamped_over_as_the_page_says(user: User) -> None:
    (user.home / ".git").mkdir()
    assert user.stamp("project_slug=first", "create_venv=no")
    assert user.stamp(*AGAIN), user.said


def test_a_new_file_counts_whatever_git_is_set_to_show_or_was_called_from(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert user.stamp("project_slug=first", "create_venv=no")
    project = user.home / "first"
    commit_all(project, "Stamp")
    hide = ["git", "config", "status.showUntrackedFiles", "no"]
    subprocess.run(hide, cwd=project, check=True)
    (project / "docs").mkdir(exist_ok=True)
    (project / "docs" / "mine.md").write_text("mine", "utf-8")
    # As a git hook of another repository is called.
    monkeypatch.setenv("GIT_DIR", str(user.template / ".git"))
    assert not user.stamp(*AGAIN)
    assert "would overwrite what git has not got yet" in user.said
    assert user.said.count("?? docs/mine.md\n") == 1
    (project / "docs" / "mine.md").unlink()
    assert user.stamp(*AGAIN), user.said


def test_stamping_into_a_repository_of_many_projects_asks_only_for_this_one(user: User) -> None:
    (user.home / "other.txt").write_text("uncommitted", "utf-8")
    subprocess.run(["git", "init", "-q"], cwd=user.home, check=True)
    assert user.stamp("project_slug=first", "create_venv=no"), user.said
    assert not user.stamp("--overwrite-if-exists", "project_slug=first", "create_venv=no")
    commit_all(user.home, "Stamp")
    (user.home / "other.txt").write_text("uncommitted again", "utf-8")
    assert user.stamp("--overwrite-if-exists", "project_slug=first", "create_venv=no"), user.said


@pytest.fixture
def crufted(user: User) -> Callable[..., Path]:
    """Stamp with cruft, and commit."""

    def crufted(**answers: Any) -> Path:
        given = json.dumps({"project_slug": "first", **answers})
        done = user.cruft("create", str(user.template), "--no-input", "--extra-context", given)
        assert done.returncode == 0, done.stderr
        commit_all(user.home / "first", "Stamp")
        return user.home / "first"

    return crufted


@pytest.mark.slow
def test_cruft_makes_the_environment_where_it_stamps_and_nowhere_else(
    user: User, crufted: Callable[..., Path]
) -> None:
    project = crufted(create_venv=True)
    assert (project / ".venv" / "made").exists()
    head = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=user.template, text=True)
    assert noted(project)["_commit"] == head.strip()
    assert noted(project)["_src_path"] == str(user.template)
    # The hook says nothing here either: this may be written to a file, as a patch.
    done = user.cruft("diff", cwd="first")
    assert (done.returncode, done.stdout) == (0, "")
    assert user.cruft("check", cwd="first").returncode == 0
    with (project / "README.md").open("a", encoding="utf-8") as readme:
        readme.write("Mine.\n")
    done = user.cruft("diff", cwd="first")
    assert done.stdout.startswith("diff --git") and done.stdout.endswith("\n-Mine.\n")
    assert done.stdout.count("diff --git") == 1
    assert ".venv" not in done.stdout and "Next:" not in done.stdout


@pytest.mark.slow
def test_a_cruft_update_brings_the_new_version_and_its_origin(
    user: User, crufted: Callable[..., Path]
) -> None:
    project = crufted(create_venv=True)
    add_line(user.template, "More.", tag="v99.0.0")
    assert user.cruft("check", cwd="first").returncode == 1
    done = user.cruft("update", "--skip-apply-ask", cwd="first")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (project / "README.md").read_text("utf-8").endswith("\nMore.\n")
    head = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=user.template, text=True)
    assert noted(project)["_commit"] == head.strip()
    changed = {line[3:] for line in status(project).splitlines()}
    assert changed == {".copier-answers.yml", ".cruft.json", "README.md"}
    # Copier goes on from there.
    commit_all(project, "Update")
    add_line(user.template, "And more.", tag="v99.1.0")
    command = [sys.executable, "-m", "copier", "update", "--defaults"]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    assert noted(project)["_commit"] == "v99.1.0"
    assert (project / "README.md").read_text("utf-8").endswith("\nMore.\nAnd more.\n")


@pytest.mark.slow
def test_cruft_does_not_overwrite_a_project(user: User, crufted: Callable[..., Path]) -> None:
    (crufted() / "prefect.yaml").write_text("mine", "utf-8")
    given = json.dumps({"project_slug": "first"})
    create = ("create", str(user.template), "--no-input", "--overwrite-if-exists")
    done = user.cruft(*create, "--extra-context", given)
    assert done.returncode != 0 and "the project is there" in done.stderr
    assert (user.home / "first" / "prefect.yaml").read_text("utf-8") == "mine"


@pytest.mark.slow
def test_cruft_is_refused_a_bad_answer_too(user: User) -> None:
    given = json.dumps({"project_slug": "first", "schedule": "never"})
    done = user.cruft("create", str(user.template), "--no-input", "--extra-context", given)
    assert done.returncode != 0 and "schedule is 'never'" in done.stderr
    assert not (user.home / "first").exists()
