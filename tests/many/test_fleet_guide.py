"""docs/FLEET.md, followed from its first command to its last: three projects, one server, a release."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, commit_all
from guides import Block, blocks, links, prose
from histories import Template, git
from living import Living, free_port, nothing_left_running

GUIDE = ROOT / "docs" / "FLEET.md"
SLUGS = ("orders-of-berlin", "orders-of-tokyo", "returns")
ROWS = 3000


def shell() -> list[Block]:
    return [one for one in blocks(GUIDE) if one.language == "sh"]


def test_every_command_of_the_guide_is_run_or_says_why_not() -> None:
    assert {one.language for one in blocks(GUIDE)} == {"sh", "yaml"}
    assert [one.mark for one in shell() if one.mark] == ["not run", "fails"]
    assert all(len(one.said) > 20 for one in shell() if one.mark)
    assert "\n\n    " not in prose(GUIDE), "an indented block is run by no test"
    for link in links(GUIDE):
        assert (GUIDE.parent / link.partition("#")[0]).exists(), link


def test_the_options_that_the_guide_names_are_the_tools_own() -> None:
    tool = [sys.executable, str(ROOT / "tools" / "fleet.py")]
    helped = "".join(
        subprocess.run([*tool, command, "--help"], capture_output=True, text=True).stdout
        for command in ("stamp", "update", "reconfigure")
    )
    told = set(re.findall(r"`(--[a-z-]+)", prose(GUIDE))) - {"--help", "--keep-conflicts"}
    assert told and not [option for option in told if option not in helped]
    for option in set(re.findall(r"(--[a-z-]+)", helped)) - {"--help"}:
        assert option in GUIDE.read_text("utf-8"), option


@pytest.mark.slow
def test_three_projects_of_a_table_share_a_server_and_are_brought_to_a_release(
    released: Path, tmp_path: Path
) -> None:
    template = Template(released, tmp_path / "prefect-blueprint")
    (template.path / ".venv").symlink_to(sys.prefix)
    home = tmp_path / "home"
    home.mkdir()
    settings = "[user]\nname = t\nemail = t@example.com\n[init]\ndefaultBranch = main\n"
    (home / ".gitconfig").write_text(settings, "utf-8")
    api_url = f"http://127.0.0.1:{free_port()}/api"
    projects = [Living(tmp_path / "projects" / slug, api_url, home / "prefect") for slug in SLUGS]
    environment = projects[0].environment
    environment["PATH"] = f"{Path(sys.prefix) / 'bin'}:{environment['PATH']}"
    with nothing_left_running(tmp_path):
        try:
            for block in shell():
                if "git init -q --bare" in block.text:
                    _keep_few_tests(projects)
                if block.mark != "not run":
                    _follow(block, template, api_url, environment)
                if '/bin/blueprint" run' in block.text:
                    _share_a_server(projects)
                if "update ../repositories.txt --push" in block.text:
                    _were_tested(template.path / ".fleet")
        finally:
            if (projects[0].path / ".venv").exists():
                projects[0].blueprint("down")
    _are_released(tmp_path)


def _follow(block: Block, template: Template, api_url: str, environment: dict[str, str]) -> None:
    if block.mark == "fails":
        template.release("0.2.0", lambda: template.file("docs/NEWS.md").write_text("# News\n"))
    elif "update ../repositories.txt --push" in block.text:
        # Two of the three, and one by hand below.
        listed = template.path.parent / "repositories.txt"
        listed.write_text("".join(listed.read_text("utf-8").splitlines(keepends=True)[:2]), "utf-8")
    text = block.text.replace("http://127.0.0.1:4200/api", api_url)
    text = text.replace("gh:org/prefect-blueprint", f"'{template.path}'")
    text = text.replace("repository in ../repositories/*.git", "repository in ../repositories/ret*")
    done = subprocess.run(
        ["dash", "-e"],
        input=text,
        cwd=template.path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1800,
    )
    told = f"line {block.line} ended with {done.returncode}:\n{block.text}\n{done.stdout}"
    assert done.returncode == (2 if block.mark == "fails" else 0), told
    assert "Traceback" not in done.stdout and ": see ../updates" not in done.stdout, told
    assert "changes that are not committed" not in done.stdout, told


def _keep_few_tests(projects: list[Living]) -> None:
    """An edit that an update keeps: all tests of a project take minutes, and other tests run them."""
    for project in projects:
        for path in (project.path / "tests").glob("test_*.py"):
            if path.name not in ("test_config.py", "test_contract.py"):
                path.unlink()
        commit_all(project.path, "Our own tests will do")


def _share_a_server(projects: list[Living]) -> None:
    """Each has its own deployment, schedule, runs and rows; all have one pool."""
    found = {one["tags"][-1]: one for one in projects[0].api("/deployments/filter", {"limit": 50})}
    assert set(found) == set(SLUGS)
    assert {one["work_pool_name"] for one in found.values()} == {"europe"}
    zones = [found[slug]["schedules"][0]["schedule"]["timezone"] for slug in SLUGS]
    assert zones == ["Europe/Berlin", "Asia/Tokyo", "Europe/Berlin"]
    for project in projects:
        assert project.rows() == ROWS
        manifest = yaml.safe_load((project.path / "prefect.yaml").read_text("utf-8"))
        asked = {"deployments": {"id": {"any_": [found[manifest["name"]]["id"]]}}}
        runs = project.api("/flow_runs/filter", asked)
        assert [one["state"]["type"] for one in runs if one["start_time"]] == ["COMPLETED"]
    # What one takes away, the others keep.
    projects[2].blueprint("cleanup", "--yes")
    left = {one["tags"][-1] for one in projects[0].api("/deployments/filter", {"limit": 50})}
    assert left == set(SLUGS[:2])
    projects[1].blueprint("run")


def _were_tested(clones: Path) -> None:
    """Both were tested by all that the project's own workflow runs."""
    logs = [path.read_text("utf-8") for path in clones.glob("orders-of-*.log")]
    assert len(logs) == 2
    for log in logs:
        assert "files already formatted" in log and "INFO 0 errors" in log
        assert " passed" in log.partition("INFO 0 errors")[2]


def _are_released(folder: Path) -> None:
    """All three have a branch with the release: by the tool, with the real checks, and by hand."""
    for slug, branch in zip(SLUGS, ("blueprint-v0.2.0", "blueprint-v0.2.0", "update"), strict=True):
        repository = folder / "repositories" / f"{slug}.git"
        assert git(repository, "show", f"{branch}:docs/NEWS.md") == "# News\n"
        assert "_commit: 'v0.2.0'" in git(repository, "show", f"{branch}:.copier-answers.yml")
        assert sorted(git(repository, "branch", "--format=%(refname:short)").split()) == sorted(
            [branch, "main"]
        )
        kept = git(repository, "ls-tree", "--name-only", branch, "tests/").splitlines()
        assert [name for name in kept if "/test_" in name] == [
            *("tests/test_config.py", "tests/test_contract.py")
        ]
    assert sorted(one.name for one in (folder / "by-hand").iterdir()) == ["prices", "stock"]
