"""A newer template is merged into an edited project, and no line of its own is lost."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import commit_all
from histories import Template, comes_from, git, project_of, replace

from .projects import ANSWERS, Project, assert_edits_are_there, at, edit, grow

pytestmark = pytest.mark.slow


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
