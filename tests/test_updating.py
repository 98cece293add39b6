"""A project moves to a newer template and to other answers, and no line of its own is lost."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from conftest import FOREIGN, commit_all
from cookiecutter.main import cookiecutter
from histories import Template, comes_from, git, project_of, replace
from living import Living, free_port, nothing_left_running, wait_for

pytestmark = pytest.mark.slow

POOL = "it's the pool"
ANSWERS = {"project_slug": "orders", "work_pool_name": POOL, "timezone": "Europe/Berlin"}


# The tools' own code, upon another project's folder: most have no more files than are looked at.
ELSEWHERE = """
import sys, pathlib, runtime.project
runtime.project.ROOT = pathlib.Path(sys.argv.pop(1))
from blueprint.cli import main
main()
"""


@dataclass
class Project:
    """A project in a git history; `blueprint` is the tools'."""

    path: Path
    tools: Path
    temporary: Path

    def command(self, *arguments: str) -> list[str]:
        python = str(self.tools / ".venv" / "bin" / "python")
        return [python, "-c", ELSEWHERE, str(self.path), *arguments]

    def environment(self, **more: str) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if key not in FOREIGN}
        return kept | {"TMPDIR": str(self.temporary), "GIT_CONFIG_GLOBAL": os.devnull} | more

    def blueprint(self, *arguments: str, code: int = 0, **more: str) -> str:
        """What a command prints, which ends with this code and leaves no scratch folder."""
        done = subprocess.run(
            self.command(*arguments),
            cwd="/",
            env=self.environment(**more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == code, done.stdout
        assert "Traceback" not in done.stdout
        assert list(self.temporary.iterdir()) == []
        return done.stdout

    def state(self) -> dict[str, tuple[int, bytes]]:
        """Mode and bytes of every file, git's index among them; not what git keeps besides."""
        left_out = {".venv", ".blueprint", "__pycache__"}
        files = [path for path in self.path.rglob("*") if not left_out & set(path.parts)]
        return {
            str(path.relative_to(self.path)): (path.stat().st_mode, path.read_bytes())
            for path in files
            if path.is_file() and (".git" not in path.parts or path.name == "index")
        }

    def status(self) -> list[str]:
        return git(self.path, "status", "--porcelain").splitlines()

    def read(self, name: str) -> str:
        return (self.path / name).read_text("utf-8")

    def write(self, name: str, text: str) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("updating")
    with nothing_left_running(path):
        yield path


@pytest.fixture(scope="module")
def first(released: Path, scratch: Path) -> Template:
    """The template at its first version; it has no other."""
    return Template(released, scratch / "first")


@pytest.fixture(scope="module")
def small(released: Path, scratch: Path) -> Path:
    """A template of a few files, in a repository of its own."""
    return Template.small(released, scratch / "small").path


@pytest.fixture(scope="module")
def stamped(small: Path, scratch: Path) -> Path:
    """What was stamped from the small one; where it lies now is no matter."""
    return Path(
        cookiecutter(
            str(small),
            no_input=True,
            extra_context=ANSWERS | {"create_venv": False},
            output_dir=str(scratch / "stamped"),
            default_config=True,
        )
    )


@pytest.fixture(scope="module")
def tools(stamp_into: Callable[..., Path], first: Template, scratch: Path) -> Path:
    """A project with an environment, in which copier was installed by its first check."""
    path = comes_from(first, stamp_into(scratch / "tools", create_venv=True, **ANSWERS))
    commit_all(path, "Stamped")
    temporary = scratch / "tools-temporary"
    temporary.mkdir()
    project = Project(path, path, temporary)
    assert "installing copier" in project.blueprint("update", "--check")
    return path


@pytest.fixture
def upstream(small: Path, tmp_path: Path) -> Template:
    """The project's template, to be released anew."""
    return Template(small, tmp_path / "template")


@pytest.fixture
def project(upstream: Template, stamped: Path, tools: Path, tmp_path: Path) -> Project:
    """A project whose first commit is what was stamped."""
    path = project_of(upstream, stamped, tmp_path / "orders")
    commit_all(path, "Stamped")
    return at(path, tools)


def at(path: Path, tools: Path) -> Project:
    """The project in a folder, with the tools that all of them share."""
    (path / ".blueprint").mkdir()
    (path / ".blueprint" / "copier").symlink_to(tools / ".blueprint" / "copier")
    temporary = path.with_name(f"{path.name}-temporary")
    temporary.mkdir()
    return Project(path, tools, temporary)


def edit(path: Path) -> None:
    """What a team does to its project: in the middle of files, new ones, deleted ones."""
    replace(path / "src/data_pipeline/transform.py", "import duckdb\n", "# Ours.\nimport duckdb\n")
    replace(path / "prefect.yaml", "batch_size: 50000", "batch_size: 777")
    replace(path / "README.md", "## Make it yours", "## Ours to make")
    (path / "docs/TARGETS.md").unlink()
    (path / "docs/Übersicht neu.md").write_text("# Ours\n", "utf-8")
    (path / "docs/picture.png").write_bytes(b"\x89PNG\x00\xff\r\n")
    (path / "scripts/ours.sh").write_text("#!/bin/sh\n", "utf-8")
    (path / "scripts/ours.sh").chmod(0o755)
    ignored = {".env": "PREFECT_API_KEY=x\n", "data/warehouse.duckdb": "rows", ".venv/x": "y"}
    for name, text in ignored.items():
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_text(text, "utf-8")


def grow(upstream: Template) -> None:
    """What a template does from one version to the next, also in files that the team edits."""
    replace(
        upstream.file("prefect.yaml"),
        "collision_strategy: ENQUEUE",
        "collision_strategy: CANCEL_NEW",
    )
    replace(upstream.file("README.md"), "## Check it", "## Check it all")
    replace(upstream.file("docs/TARGETS.md"), "# Targets\n", "# All targets\n")
    upstream.file("src/ingest/news.py").write_text('"""New."""\n', "utf-8")
    upstream.file("docs/SOURCES.md").unlink()
    upstream.file("scripts/cleanup.sh").chmod(0o644)


def assert_edits_are_there(project: Project) -> None:
    assert "\n# Ours.\nimport duckdb\n" in project.read("src/data_pipeline/transform.py")
    assert "batch_size: 777" in project.read("prefect.yaml")
    assert "## Ours to make" in project.read("README.md")
    assert not (project.path / "docs/TARGETS.md").exists()
    assert project.read("docs/Übersicht neu.md") == "# Ours\n"
    assert (project.path / "docs/picture.png").read_bytes() == b"\x89PNG\x00\xff\r\n"
    assert (project.path / "scripts/ours.sh").stat().st_mode & 0o111
    assert project.read(".env") == "PREFECT_API_KEY=x\n"
    assert project.read("data/warehouse.duckdb") == "rows"
    assert project.read(".venv/x") == "y"


@pytest.mark.parametrize("clone", ["as it was made", "of depth 1", "edited in its first commit"])
def test_edits_survive_a_newer_template(
    clone: str,
    upstream: Template,
    released: Path,
    stamp_into: Callable[..., Path],
    stamped: Path,
    tools: Path,
    tmp_path: Path,
) -> None:
    path = project_of(upstream, stamped, tmp_path / "orders")
    if clone == "as it was made":  # and with all of its files
        upstream = Template(released, tmp_path / "whole template")
        path = comes_from(upstream, stamp_into(tmp_path / "whole", **ANSWERS))
    if clone != "edited in its first commit":
        commit_all(path, "Stamped")
    edit(path)
    commit_all(path, "Ours")
    if clone == "of depth 1":
        cloned = tmp_path / "cloned"
        git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{path}", str(cloned))
        for name in (".env", "data/warehouse.duckdb", ".venv/x"):
            (cloned / name).parent.mkdir(exist_ok=True)
            shutil.copy(path / name, cloned / name)
        path = cloned
    project = at(path, tools)
    upstream.release("0.2.0", lambda: grow(upstream))
    printed = project.blueprint("update")
    assert "v0.1.0 became v0.2.0" in printed
    for told in ("added   src/ingest/news.py", "changed prefect.yaml", "deleted docs/SOURCES.md"):
        assert told in printed
    assert_edits_are_there(project)
    assert "collision_strategy: CANCEL_NEW" in project.read("prefect.yaml")
    assert "## Check it all" in project.read("README.md")
    assert project.read("src/ingest/news.py") == '"""New."""\n'
    assert not (project.path / "docs/SOURCES.md").exists()
    assert not (project.path / "scripts/cleanup.sh").stat().st_mode & 0o111
    # Staged, all of it, and nothing else is: what is committed next is the update alone.
    assert all(line[1] == " " for line in project.status()) and project.status()
    assert "_commit: 'v0.2.0'" in project.read(".copier-answers.yml")
    commit_all(project.path, "Update")
    if clone == "as it was made":
        before = project.state()
        assert "nothing to bring in" in project.blueprint("update")
        assert "schedule: 0 9 * * * became" in project.blueprint(
            "reconfigure", "schedule=1 2 * * *"
        )
        commit_all(project.path, "Reconfigure")
        assert_edits_are_there(project)
        changed = {name for name, held in project.state().items() if held != before.get(name)}
        assert changed == {".git/index", "README.md", "prefect.yaml", ".copier-answers.yml"}


def test_a_conflict_changes_nothing_until_it_is_asked_for_and_then_git_knows_of_it(
    project: Project, upstream: Template
) -> None:
    replace(project.path / "src/data_pipeline/load.py", '"""Which target', '"""Ours: which target')
    replace(project.path / "src/blueprint/cuts.py", "import annotations", "import annotations  # a")
    commit_all(project.path, "Ours")

    def change() -> None:
        replace(
            upstream.file("src/data_pipeline/load.py"), '"""Which target', '"""Theirs: which target'
        )
        upstream.file("src/blueprint/cuts.py").rename(upstream.file("src/blueprint/cutting.py"))

    upstream.release("0.2.0", change)
    before = project.state()
    printed = project.blueprint("update", code=3)
    assert "Nothing was changed: 2 files in conflict" in printed
    assert "- src/data_pipeline/load.py: changed here and in the template" in printed
    assert "- src/blueprint/cuts.py: edited here, and no longer in the template" in printed
    assert "blueprint update --keep-conflicts" in printed
    assert project.state() == before
    told = json.loads(project.blueprint("update", "--json", code=3).partition("\nblueprint:")[0])
    assert [one["path"] for one in told["conflicts"]] == [
        "src/blueprint/cuts.py",
        "src/data_pipeline/load.py",
    ]
    assert project.state() == before

    printed = project.blueprint("update", "--keep-conflicts", code=3)
    assert "conflict: src/data_pipeline/load.py" in printed
    assert "<<<<<<< before updating\n" in project.read("src/data_pipeline/load.py")
    assert "import annotations  # a" in project.read("src/blueprint/cuts.py")
    assert {"UU src/data_pipeline/load.py", "UD src/blueprint/cuts.py"} <= set(project.status())
    assert "A  src/blueprint/cutting.py" in project.status()
    for words in (["update"], ["update", "--check"]):
        assert "not resolved yet" in project.blueprint(*words, code=1)
    # It can be given up ...
    git(project.path, "restore", "--staged", "--worktree", ".")
    left = {name: held for name, held in project.state().items() if not name.endswith("index")}
    assert left == {name: held for name, held in before.items() if not name.endswith("index")}
    # ... committed by mistake ...
    project.blueprint("update", "--keep-conflicts", code=3)
    commit_all(project.path, "Not resolved")
    printed = project.blueprint("update", "--check", code=1)
    assert "still hold the marks" in printed and "src/data_pipeline/load.py" in printed
    # ... or resolved.
    text = project.read("src/data_pipeline/load.py")
    marks = ("<<<<<<<", "=======", ">>>>>>>")
    kept = [line for line in text.splitlines(True) if not line.startswith(marks)]
    project.write("src/data_pipeline/load.py", "".join(kept))
    commit_all(project.path, "Resolved")
    assert "nothing newer" in project.blueprint("update", "--check")
    assert "nothing to bring in" in project.blueprint("update")


def test_an_edit_stays_in_its_block_where_the_template_puts_an_alike_one_before_it(
    project: Project, upstream: Template
) -> None:
    block = "  a: 1\n  b: 1\n  c: 1\n  size: 100\n  d: 1\n  e: 1\n  f: 1\n"
    blocks, picture = upstream.file("docs/SAMPLE.yaml"), upstream.file("docs/SAMPLE.png")

    def begin() -> None:
        blocks.write_text(f"first:\n{block}", "utf-8")
        picture.write_bytes(b"\x89PNG\x00 theirs")

    upstream.release("0.2.0", begin)
    project.blueprint("update")
    ours = block.replace("100", "777")
    project.write("docs/SAMPLE.yaml", f"first:\n{ours}")
    (project.path / "docs/SAMPLE.png").write_bytes(b"\x89PNG\x00")
    (project.path / "docs/TARGETS.md").unlink()
    commit_all(project.path, "Ours")

    def change() -> None:
        blocks.write_text(f"zero:\n{block}first:\n{block}", "utf-8")
        replace(upstream.file("docs/TARGETS.md"), "# Targets\n", "# All targets\n")

    upstream.release("0.3.0", change)
    printed = project.blueprint("update", code=3)
    assert "1 file in conflict" in printed and "- docs/SAMPLE.yaml: changed here and" in printed
    printed = project.blueprint("update", "--keep-conflicts", code=3)
    assert "docs/TARGETS.md: stays deleted, and the template has changed it" in printed
    assert project.read("docs/SAMPLE.yaml") == f"zero:\n{block}first:\n{ours}"
    assert (project.path / "docs/SAMPLE.png").read_bytes() == b"\x89PNG\x00"
    assert not (project.path / "docs/TARGETS.md").exists()


def test_what_a_filter_encrypts_stays_so_and_a_hidden_edit_is_not_lost(
    project: Project, upstream: Template
) -> None:
    for way in ("clean", "smudge"):
        git(project.path, "config", f"filter.secret.{way}", "tr a-zA-Z n-za-mN-ZA-M")
    with (project.path / ".gitattributes").open("a", encoding="utf-8") as attributes:
        attributes.write("README.md filter=secret\n")
    replace(project.path / "README.md", "## Make it yours", "## Ours to make")
    commit_all(project.path, "A secret README")
    assert "## Bhef gb znxr" in git(project.path, "cat-file", "blob", "HEAD:README.md")
    upstream.release("0.2.0", lambda: grow(upstream))
    git(project.path, "update-index", "--skip-worktree", "prefect.yaml")
    replace(project.path / "prefect.yaml", "batch_size: 50000", "batch_size: 777")
    printed = project.blueprint("update", code=1)
    assert "git update-index --no-skip-worktree -- prefect.yaml" in printed
    assert "batch_size: 777" in project.read("prefect.yaml")
    git(project.path, "update-index", "--no-skip-worktree", "--", "prefect.yaml")
    commit_all(project.path, "Seen again")
    project.blueprint("update")
    staged = git(project.path, "cat-file", "blob", ":README.md")
    assert "## Bhef gb znxr" in staged and "## Purpx vg nyy" in staged
    assert "## Ours to make" in project.read("README.md")
    assert "## Check it all" in project.read("README.md")
    assert "batch_size: 777" in project.read("prefect.yaml")
    assert all(line[1] == " " for line in project.status())


def test_what_git_ignores_is_kept_also_where_the_newer_template_has_such_a_file(
    project: Project, upstream: Template
) -> None:
    ignored = {".env": "KEY=ours\n", "data/a.duckdb": "rows", "quarantine/x": "y", "Procfile": "p"}
    for name, text in ignored.items():
        project.write(name, text)
    (project.path / "empty").mkdir()

    def change() -> None:
        upstream.file(".env").write_text("KEY=theirs\n", "utf-8")
        git(upstream.path, "add", "--force", str(upstream.file(".env")))
        upstream.file("quarantine").write_text("a file now\n", "utf-8")
        replace(upstream.file(".gitignore"), "data/*.duckdb\n", "")

    upstream.release("0.2.0", change)
    printed = project.blueprint("update")
    assert {name: project.read(name) for name in ignored} == ignored
    assert ".env: the template has such a file now" in printed
    assert "quarantine: the template has such a file now" in printed
    assert "data/: git ignored it" in printed
    assert printed.count("git ignored it") == 1  # an empty folder is none
    assert project.status()[-1] == "?? data/"
    assert not {".env", "quarantine", "Procfile"} & {line[3:] for line in project.status()}


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


def test_a_project_inside_a_bigger_repository_with_a_detached_head_is_updated_alone(
    upstream: Template, stamped: Path, tools: Path, tmp_path: Path
) -> None:
    around = tmp_path / "our [big] house"
    path = project_of(upstream, stamped, around / "pipelines" / "orders")
    # As from a server, whose repositories copier keeps a mirror of.
    replace(path / ".copier-answers.yml", f"'{upstream.path}'", f"'git+file://{upstream.path}'")
    (around / "other.txt").write_text("x", "utf-8")
    git(around, "init", "--quiet")
    git(around, "add", "other.txt")
    git(around, "-c", "user.name=t", "-c", "user.email=t@t", "commit", "--quiet", "-m", "first")
    project = at(path, tools)
    assert "which holds no commit of it" in project.blueprint("update", code=1)
    edit(path)
    commit_all(around, "The pipeline")
    git(around, "checkout", "--quiet", "--detach")
    (around / "other.txt").write_text("another's work", "utf-8")
    upstream.release("0.2.0", lambda: grow(upstream))
    assert "v0.1.0 became v0.2.0" in project.blueprint("update", GIT_DIR="/nowhere")
    assert_edits_are_there(project)
    assert project.read("src/ingest/news.py") == '"""New."""\n'
    lines = git(around, "status", "--porcelain").splitlines()
    assert " M other.txt" in lines
    assert all("pipelines/orders/" in line for line in lines if "other.txt" not in line)


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


def test_a_schedule_that_was_edited_by_hand_is_a_conflict_that_says_how_it_is_solved(
    project: Project,
) -> None:
    replace(project.path / "prefect.yaml", "'0 9 * * *'", "'0 7 * * *'")
    commit_all(project.path, "Earlier")
    before = project.state()
    assert "prefect.yaml says '0 7 * * *'" in project.blueprint("reconfigure")
    printed = project.blueprint("reconfigure", "schedule=0 6 * * *", code=3)
    assert "prefect.yaml says schedule '0 7 * * *', written there by hand" in printed
    assert "blueprint reconfigure schedule='0 7 * * *'" in printed
    assert project.state() == before
    project.blueprint("reconfigure", "schedule=0 7 * * *")
    commit_all(project.path, "Take it over")
    project.blueprint("reconfigure", "schedule=0 6 * * *")
    assert "'0 6 * * *'" in project.read("prefect.yaml")


def test_answers_that_the_rules_refuse_are_told_all_at_once(project: Project) -> None:
    before = project.state()
    printed = project.blueprint(
        *("reconfigure", "schedule=99 * * * *", "timezone=Mars/Base", "prefect_api_url=x"), code=1
    )
    for key, value in (
        ("schedule", "99 * * * *"),
        ("timezone", "Mars/Base"),
        ("prefect_api_url", "x"),
    ):
        assert f"{key} is {value!r}: " in printed
    assert "for example" in printed
    assert project.state() == before


def test_another_server_is_told_with_what_comes_first(project: Project) -> None:
    printed = project.blueprint("reconfigure", "prefect_api_url=http://127.0.0.1:4999/api")
    typed = [line.strip().partition("    #")[0] for line in printed.splitlines()]
    there = [one for one in typed if "blueprint cleanup" in one or one.startswith("git ")]
    assert there[0] == "git restore --staged --worktree ." and "cleanup" in there[1]
    assert any(one.startswith("git commit") for one in there[2:])
    assert any("reconfigure prefect_api_url=http://127.0.0.1:4999/api" in one for one in typed)
    assert "stash" not in printed


def test_what_cannot_change_or_is_no_question_is_refused_with_the_reason(project: Project) -> None:
    before = project.state()
    for command in ("reconfigure", "update"):
        printed = project.blueprint(command, "project_slug=another", code=1)
        assert "project_slug does not change once a project is stamped" in printed
        assert "the flow's name" in project.blueprint(command, "project_name=Another", code=1)
    printed = project.blueprint("reconfigure", "schedul=1 2 * * *", code=1)
    assert "no question 'schedul'" in printed and "schedule, timezone" in printed
    assert "key=value, not 'x'" in project.blueprint("reconfigure", "x", code=1)
    assert "cleanup" in project.blueprint(
        "reconfigure", "prefect_api_url=http://x/api", "--redeploy", code=1
    )
    assert project.state() == before


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


def test_after_reconfigure_and_redeploy_the_server_has_nothing_of_the_old(
    stamp_into: Callable[..., Path], first: Template, tools: Path, scratch: Path
) -> None:
    api_url = f"http://127.0.0.1:{free_port()}/api"
    made = stamp_into(scratch / "living", prefect_api_url=api_url, **ANSWERS)
    path = comes_from(first, made)
    (path / ".blueprint").mkdir()
    (path / ".blueprint" / "copier").symlink_to(tools / ".blueprint" / "copier")
    living = Living(path, api_url, scratch / "home" / "prefect")
    living.in_project("python3", "bootstrap.py")
    commit_all(path, "Stamped")
    try:
        living.blueprint("up")
        living.blueprint("deploy")
        wait_for(lambda: len(waiting(living)) >= 3)
        # One that a person asked for waits in the old pool, where it shall not be left.
        living.blueprint("run", "--no-watch")
        printed = living.blueprint(
            *("reconfigure", "schedule=45 4 * * *", "timezone=Asia/Tokyo"),
            *("work_pool_name=the new pool", "--redeploy"),
        )
        assert "work_pool_name: it's the pool became the new pool" in printed
        (held,) = living.api("/deployments/filter", {})
        assert held["work_pool_name"] == "the new pool"
        (schedule,) = held["schedules"]
        assert schedule["active"] and schedule["schedule"]["cron"] == "45 4 * * *"
        assert schedule["schedule"]["timezone"] == "Asia/Tokyo"
        runs = wait_for(lambda: len(waiting(living)) >= 3 and waiting(living))
        assert {one["work_pool_name"] for one in runs} == {"the new pool"}
        automatic = [one for one in runs if one["auto_scheduled"]]
        assert {one["expected_start_time"][11:16] for one in automatic} == {"19:45"}
        workers = living.api("/work_pools/the%20new%20pool/workers/filter", {})
        assert [one["status"] for one in workers] == ["ONLINE"]
        assert "the server holds what prefect.yaml says" in living.blueprint(
            "redeploy", "--dry-run"
        )
    finally:
        with contextlib.suppress(AssertionError):
            living.blueprint("down")


def waiting(living: Living) -> list[dict[str, object]]:
    asked = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
    return living.api("/flow_runs/filter", asked)
