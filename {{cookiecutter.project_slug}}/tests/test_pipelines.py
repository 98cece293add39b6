"""A second pipeline: its part of prefect.yaml, its name, and its code as it was copied."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from blueprint import manifest, processes
from blueprint.pipelines import (
    copies,
    editing,
    finding,
    naming,
    noted,
    placing,
    removing,
    tables,
    which,
)
from blueprint.pipelines.which import NOTES, package_of, packages_of
from blueprint.project import Problem, Project

NEW = {"name": "invoices", "entrypoint": "invoices.flow:invoices", "parameters": {"n": "it's 1"}}
MANIFESTS = {
    "at the end": "# mine\nname: x\ndeployments:\n  - name: a  # the first\n    tags: [b]\n",
    "a comment at the end": "deployments:\n  - name: a\n    n: 1\n    # n: 2\n\n# More below.\n",
    "not the last key": "deployments:\n- name: a\n  # b: 1\n\n# Nothing to pull.\npull: []\n",
    "no end of line": "deployments:\n  - name: a\n    schedules:\n      - slug: b",
    "of Windows": "deployments:\r\n  - name: a\r\n    n: 1\r\n\r\n",
    "wide dashes": "deployments:\n  -   name: a\n      n: 'it''s'\n",
    "a text block": "deployments:\n  - name: a\n    description: |\n      One.\n\n      Two.\n\n\n",
    "a dash alone": "deployments:\n  -\n    # mine\n    name: a\n    empty:\n",
    "mixed ends of lines": "name: x\r\ndeployments:\n  - name: a\n    n: 1\n",
    "of the old Mac": "deployments:\r  - name: a\r    n: 1\r",
    "a separator in a text": "x: 'a\u2028b'\ndeployments:\n  - name: a\n",
    "two": "deployments:\n  - name: a\n\n  # The second.\n  - name: b\n    env: {x: 1}\n",
}


@pytest.mark.parametrize("text", MANIFESTS.values(), ids=MANIFESTS)
def test_a_deployment_is_put_in_and_taken_out_and_no_other_byte_changes(text: str) -> None:
    more = editing.added(text, NEW)
    assert yaml.safe_load(more)["deployments"][-1] == NEW
    assert len(more) > len(text) and ("\r\n" in more) == ("\r\n" in text)
    kept = [line for line in more.splitlines() if line in text.splitlines()]
    assert [line for line in text.splitlines() if line] == [line for line in kept if line]
    twice = editing.added(more, {**NEW, "name": "other"})
    assert editing.removed(editing.removed(twice, "invoices"), "other") == text
    assert editing.removed(editing.removed(twice, "other"), "invoices") == text


@pytest.mark.parametrize(
    "text",
    [
        "deployments: [{name: a}]\n",
        "x: &x {name: a}\ndeployments:\n  - *x\n",
        "x: &x\n  deployments:\n    - name: a\n<<: *x\n",
        "deployments:\n  - name: a\n...\n",
    ],
    ids=["in brackets", "an alias", "merged from another key", "the end of a document"],
)
def test_a_manifest_that_cannot_be_edited_soundly_is_left_to_a_person(text: str) -> None:
    with pytest.raises(Problem, match="a line for each dash.*type the same command again"):
        editing.added(text, NEW)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("web-orders", "becomes a Python package.*: web_orders, perhaps"),
        ("Orders", "orders, perhaps"),
        ("1st", "as web_orders"),
        ("../x", "becomes a Python package"),
        ("a" * 31, "30 at most"),
        ("class", "Python itself has a word"),
        ("match", "Python itself has a word"),
        ("print", "Python itself has a word"),
        ("extract", "the pipeline's own code calls something else so"),
        ("json", "Python has a module"),
        ("aux", "Windows has a device"),
        ("cyclopts", "a package that is installed"),
        ("obstore", "a package that is installed, or may be"),
        ("data_pipeline", "is a room of this project"),
        ("runtime", "is a room of this project"),
        ("conftest", "something else of that name"),
        ("quarantine", "something else of that name"),
    ],
)
def test_a_name_that_means_something_else_is_refused(name: str, said: str) -> None:
    with pytest.raises(Problem, match=said):
        naming.check(name, [])


def test_a_name_that_git_would_ignore_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(naming, "ROOT", tmp_path)
    naming.check("zoo_animals", [])  # without git
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / ".gitignore").write_text("zoo_animals/\n", "utf-8")
    with pytest.raises(Problem, match="git ignores src/zoo_animals/"):
        naming.check("zoo_animals", [])
    naming.check("zoo_plants", [])


def test_no_two_pipelines_load_one_table_of_one_target(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = {"data_pipeline": "Orders", "zoo": "orders", "shop": None}
    monkeypatch.setattr(tables, "table_of", loaded.get)

    def deployment(package: str, target: str) -> dict[str, Any]:
        return {"entrypoint": f"{package}.flow:f", "parameters": {"target": target}}

    first, zoo = deployment("data_pipeline", "a.duckdb"), deployment("zoo", "duckdb:///a.duckdb")
    assert not tables.shared([first, first, deployment("zoo", "b.duckdb"), deployment("shop", "a")])
    with pytest.raises(Problem, match="data_pipeline and zoo both load the table orders"):
        tables.refuse_shared([first, zoo])
    assert tables.free("ORDERS", loaded) == "ORDERS_2"
    assert tables.owner("ORDERS", ["zoo"]) == "zoo" and not tables.owner("parts", loaded)


@pytest.mark.parametrize("way", ["in", "out"])
def test_what_was_moved_is_moved_back_where_the_manifest_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    root, aside = tmp_path / "project", tmp_path / "aside"
    begin = aside if way == "in" else root
    for file in ("src/zoo/flow.py", "tests/test_zoo_flow.py"):
        (begin / file).parent.mkdir(parents=True)
        (begin / file).write_text("mine", "utf-8")
    monkeypatch.setattr(placing, "ROOT", root)
    (root / "src").mkdir(parents=True, exist_ok=True)

    def fail(text: str) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(placing, "write_manifest", fail)
    with pytest.raises(OSError, match="full"):
        if way == "in":
            placing.put_in(aside, "")
        else:
            placing.take_out([root / "src/zoo", root / "tests/test_zoo_flow.py"], aside, "")
    found = sorted(str(path.relative_to(root)) for path in root.rglob("*.py"))
    assert found == ([] if way == "in" else ["src/zoo/flow.py", "tests/test_zoo_flow.py"])
    if way == "in":
        (aside / "tests").mkdir(exist_ok=True)
        (aside / "src").mkdir(exist_ok=True)
        (aside / "tests" / "test_zoo_flow.py").touch()
        (root / "tests" / "test_zoo_flow.py").mkdir()  # somebody's, come meanwhile
        with pytest.raises(Problem, match="has come meanwhile"):
            placing.put_in(aside, "")
        assert (root / "tests" / "test_zoo_flow.py").is_dir()


def test_a_run_that_begins_while_it_asks_keeps_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from blueprint import cleaning, owning

    begun: list[str] = []
    held = SimpleNamespace(entrypoint="zoo.flow:zoo", name="zoo", id="1")
    found = finding.Found("zoo", manifest.Manifest([]), [], [])
    monkeypatch.setattr(finding, "look", lambda name, force: found)
    monkeypatch.setattr(processes, "STATE", tmp_path)
    monkeypatch.setattr(removing, "_connect", lambda *given: "a client")
    monkeypatch.setattr(owning, "ours", lambda client: [held])
    monkeypatch.setattr(cleaning, "plan_deployment", lambda *given: given[-1].left.extend(begun))
    monkeypatch.setattr(
        cleaning, "confirm", lambda *given: begun.append("the run x, which goes on")
    )
    monkeypatch.setattr(cleaning, "remove", lambda plan: pytest.fail("it was removed there"))
    monkeypatch.setattr(placing, "take_out", lambda *given: pytest.fail("it was removed here"))
    project = Project("http://127.0.0.1:9/api", tmp_path)
    with pytest.raises(Problem, match="Nothing was removed: the run x, which goes on"):
        removing.remove(project, "zoo")


def test_the_deployments_name_the_pipelines() -> None:
    assert package_of({"entrypoint": "orders.flow:orders"}) == "orders"
    assert package_of({"entrypoint": "orders.nightly.flow:f"}) == "orders"
    assert package_of({"entrypoint": "flow:f"}) == package_of({}) == "data_pipeline"
    first = {"name": "production-etl", "entrypoint": "data_pipeline.flow:data_pipeline"}
    nightly = {"name": "nightly", "entrypoint": "orders.flow:orders"}
    plan = manifest.Manifest([first, nightly])
    assert plan.chosen(None) is plan.chosen("production-etl") is first
    assert plan.chosen("nightly") is plan.chosen("orders") is nightly
    with pytest.raises(Problem, match="no deployment 'x'. It has: production-etl, nightly"):
        plan.chosen("x")


def test_a_flow_of_somebodys_own_is_looked_after_as_the_first_pipeline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(which, "ROOT", tmp_path)
    nightly = {"name": "nightly", "entrypoint": "reports.nightly:nightly"}
    assert package_of(nightly) == "reports"
    (tmp_path / "src" / "reports").mkdir(parents=True)
    assert package_of(nightly) == "data_pipeline"
    assert packages_of([nightly, {"entrypoint": "data_pipeline.flow:f"}]) == ["data_pipeline"]
    (tmp_path / "src" / "reports" / "contract.py").touch()
    assert package_of(nightly) == "reports"


def test_what_was_added_and_not_edited_is_known_as_such_after_an_update_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(which, "ROOT", tmp_path)
    code = copies.code("orders", "x-orders", "orders_2")
    made = {f"src/orders/{name}.py": text for name, text in code.items()}
    (tmp_path / "src" / "orders").mkdir(parents=True)
    (tmp_path / "src" / "orders" / NOTES).write_text(noted.notes(made), "utf-8")
    before = copies.shipped
    monkeypatch.setattr(copies, "shipped", lambda name: before(name) + "\nNEW = 'in an update'\n")
    for name, text in made.items():
        assert noted.is_untouched("orders", name, text)
        assert noted.is_untouched("orders", name, text.replace("\n", "\r\n"))
        assert not noted.is_untouched("orders", name, text + "# mine\n")
    assert noted.is_the_samples("orders", "contract", code["contract"])
    assert not noted.is_the_samples("orders", "contract", code["contract"] + "X = 1\n")
    assert noted.is_untouched("orders", "src/orders/transform.py", copies.PASS_THROUGH)


def test_a_comment_above_an_import_goes_where_the_import_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = "from data_pipeline.config import X\n# Why.\nfrom ingest.say import Say\n\nX = Say\n"
    monkeypatch.setattr(copies, "shipped", lambda name: text)
    made = copies.tests("zoo")["test_zoo_flow.py"]
    assert made == "# Why.\nfrom ingest.say import Say\nfrom zoo.config import X\n\nX = Say\n"
