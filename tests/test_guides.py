"""The guides as they are read: every file that one names is there, every link leads on.

What they say is to be typed is typed in test_guides_followed.py.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from bake import CHECKS
from conftest import ROOT, BakedProject
from guides import ANSWERS, GUIDES, anchors, blocks, links, named_files, prose
from test_rendering import EXPECTED

# What no test machine has: a mark in the guide says so, and there are no more of them than these.
NOT_RUN = {
    "docs/EXECUTION_INSTRUCTIONS.md": 1,
    "docs/SERVER_INSTRUCTIONS.md": 3,
    "docs/SOURCES.md": 1,
}
SCRIPTS = {
    *("phase1_execute.sh", "phase2_execute.sh", "phase3_execute.sh", "execute_all_phases.sh"),
    *("start_server.sh", "make_executable.sh", "validate_setup.sh", "validate_install.sh"),
    *("run_validation.py", "test_local_run.sh", "check_status.sh", "trigger_with_params.sh"),
    *("test_failure.sh", "redeploy.sh", "cleanup.sh"),
}


@pytest.fixture(scope="module")
def project(stamp_into: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stamped project with answers of its own, to be read."""
    return stamp_into(tmp_path_factory.mktemp("guides"), **ANSWERS)


def test_the_guides_are_these_and_no_other(project: Path) -> None:
    found = {str(path.relative_to(project)) for path in BakedProject(project).files()}
    assert {name for name in found if name.endswith(".md")} == set(GUIDES)


def test_what_cannot_be_run_is_marked_with_its_reason_and_counted(project: Path) -> None:
    marked = {
        name: [one for one in blocks(project / name) if one.mark == "not run"] for name in GUIDES
    }
    assert {name: len(found) for name, found in marked.items() if found} == NOT_RUN
    assert all(len(one.said) > 20 for found in marked.values() for one in found)


@pytest.mark.parametrize("name", GUIDES)
def test_a_guide_has_no_command_outside_a_block_of_sh(name: str, project: Path) -> None:
    known = {"sh", "python", "text", "ini"}
    assert {one.language for one in blocks(project / name)} <= known
    text = prose(project / name)
    assert not re.search(r"\n\n {4}\S", text), "an indented block is run by no test"
    assert "```" not in text
    told = text + "".join(one.text for one in blocks(project / name))
    assert "cookiecutter" not in told and "@@" not in told


@pytest.mark.parametrize("name", GUIDES)
def test_whatever_file_a_guide_names_is_there(name: str, project: Path) -> None:
    examples = {"data/orders.ndjson"}
    named = named_files(project / name) - examples
    assert not [one for one in named if not (project / one).exists()]


@pytest.mark.parametrize("name", GUIDES)
def test_every_link_of_a_guide_leads_somewhere(name: str, project: Path) -> None:
    guide = project / name
    for link in links(guide):
        path, _, anchor = link.partition("#")
        target = (guide.parent / path).resolve() if path else guide
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_index_is_the_tree_and_is_as_make_index_writes_it(project: Path) -> None:
    from index import INDEX, render

    assert INDEX.read_text("utf-8") == render(), "make index"
    index = (project / "docs" / "INDEX.md").read_text("utf-8")
    listed = {
        os.path.normpath(f"docs/{one}") for one in re.findall(r"^\| \[.*?\]\((.*?)\)", index, re.M)
    }
    assert listed == set(EXPECTED.read_text("utf-8").split())
    there = {path.name for path in (project / "scripts").glob("[!_]*")}
    assert there == SCRIPTS
    assert all(f"]({one})" in index for one in (f"../scripts/{name}" for name in SCRIPTS))


@pytest.mark.parametrize("name", GUIDES)
def test_the_python_of_a_guide_compiles(name: str, project: Path) -> None:
    for block in blocks(project / name):
        if block.language == "python":
            compile(block.text, f"{name}:{block.line}", "exec")


def test_the_troubleshooting_is_keyed_by_what_the_commands_print(project: Path) -> None:
    guide = (project / "docs" / "EXECUTION_GUIDE.md").read_text("utf-8").partition("## Troubl")[2]
    headings = "\n".join(re.findall(r"^### (.*)$", guide, re.MULTILINE))
    code = [project / "bootstrap.py", *(project / "src").rglob("*.py")]
    printed = "".join(path.read_text("utf-8") for path in code)
    for message in (
        *("Connection refused", "Deployment not found", "Work pool not found", "stuck in"),
        *("too old", "not what its locks say", "is taken by", "has faults", "belongs to"),
        *("prefect.toml says", "Refused ", "Nothing was changed: "),
    ):
        assert message in headings and message in printed, message


def test_the_guide_says_how_long_each_step_took(project: Path) -> None:
    text = (project / "docs" / "EXECUTION_INSTRUCTIONS.md").read_text("utf-8")
    measured = text.partition("<!-- durations:begin -->")[2].partition("<!-- durations:end -->")[0]
    steps = dict(re.findall(r"^\| (.*?) \| (\d+) \|$", measured, re.MULTILINE))
    assert {"phase 1", "phase 2", "phase 3"} < steps.keys(), "make durations"
    assert "Measured on" in measured


def test_each_check_is_in_the_guide_by_its_name(project: Path) -> None:
    guide = (project / "docs" / "VALIDATION_INSTRUCTIONS.md").read_text("utf-8")
    code = (project / "src" / "blueprint" / "checking" / "validating.py").read_text("utf-8")
    names = re.findall(r'[cC]heck\(\s*"(\w+)"', code)
    assert len(names) > 10
    assert not [name for name in names if f"\n| {name} |" not in guide]


def test_every_script_is_in_a_guide(project: Path) -> None:
    told = "".join((project / name).read_text("utf-8") for name in GUIDES if "INDEX" not in name)
    assert not [name for name in SCRIPTS if name not in told]


def test_what_has_a_test_of_its_own_is_what_that_test_runs(project: Path) -> None:
    (block,) = [one for name in GUIDES for one in blocks(project / name) if one.mark == "alone"]
    typed = [one.split() for one in block.text.replace("\n", " && ").split(" && ") if one]
    assert [(Path(first).name, *rest) for first, *rest in typed] == list(CHECKS)


def test_the_templates_readme_is_run_or_marked() -> None:
    readme = ROOT / "README.md"
    assert not re.search(r"\n\n {4}\S", prose(readme)), "an indented block is run by no test"
    shell = [one for one in blocks(readme) if one.language == "sh"]
    assert [one.mark for one in shell] == ["alone", "not run"]
    assert all(len(one.said) > 20 for one in shell)
    assert readme.read_text("utf-8")[: readme.read_text("utf-8").index("```sh")].count("\n") < 40
    for link in links(readme):
        assert (ROOT / link.partition("#")[0]).exists(), link


def test_the_templates_readme_shows_every_question_and_the_tree(project: Path) -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    questions = json.loads((ROOT / "cookiecutter.json").read_text("utf-8"))
    for key in questions:
        assert key.startswith("_") or f"| `{key}` |" in text, key
    tree = next(one.text for one in blocks(ROOT / "README.md") if one.language == "text")
    shown, folder = [], ""
    for line in tree.splitlines():
        if line.startswith(" "):
            shown += [f"{folder}{one}" for one in line.split() if one != "..."]
        else:
            folder = line.split()[0]
            shown.append(folder)
    assert len(shown) > 30
    assert not [one for one in shown if not (project / one).exists()]


@pytest.mark.parametrize("guide", sorted((ROOT / "docs").glob("*.md")), ids=lambda one: one.name)
def test_a_guide_of_the_template_itself_is_run_by_its_own_test_or_marked(guide: Path) -> None:
    assert not re.search(r"\n\n {4}\S", prose(guide)), "an indented block is run by no test"
    unmarked = [one for one in blocks(guide) if one.language == "sh" and not one.mark]
    followed = any(
        f'"{guide.name}"' in test.read_text("utf-8")
        for test in Path(__file__).parent.rglob("test_*.py")
        # Those read and follow a stamped project's guides, which may be called the same.
        if not test.name.startswith("test_guides")
    )
    assert not unmarked or followed, "no test runs this"
    assert all(len(one.said) > 20 for one in blocks(guide) if one.mark in ("alone", "not run"))
    for link in links(guide):
        assert (guide.parent / link.partition("#")[0]).exists(), link


def test_the_pictures_in_the_readme_are_there_and_small() -> None:
    shown = re.findall(r"docs/(ui-[a-z]+\.png)", (ROOT / "README.md").read_text("utf-8"))
    for name in shown:
        path = ROOT / "docs" / name
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size < 150_000, name
    kept = {path.name for path in (ROOT / "docs").glob("*.png")}
    assert kept == set(shown) != set()
