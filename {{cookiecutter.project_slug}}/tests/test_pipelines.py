"""A second pipeline: added beside the first, and taken away again, with nothing else touched."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from blueprint import manifest
from blueprint.pipelines import copies, editing, naming
from blueprint.pipelines.which import package_of
from blueprint.project import Problem
from runtime.project import ROOT

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
    ["deployments: [{name: a}]\n", "x: &x {name: a}\ndeployments:\n  - *x\n"],
    ids=["in brackets", "an alias"],
)
def test_a_manifest_that_cannot_be_edited_soundly_is_left_to_a_person(text: str) -> None:
    with pytest.raises(Problem, match="at the end of its deployments:\n\n- name: invoices\n"):
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
        ("cyclopts", "a package that is installed"),
        ("obstore", "a package that is installed, or may be"),
        ("data_pipeline", "is a room of this project"),
        ("runtime", "is a room of this project"),
        ("conftest", "something else of that name"),
    ],
)
def test_a_name_that_means_something_else_is_refused(name: str, said: str) -> None:
    with pytest.raises(Problem, match=said):
        naming.check(name, [])


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


def test_what_was_added_and_not_edited_is_known_as_such() -> None:
    made = copies.code("orders", "x-orders", "orders_2")
    for name, text in made.items():
        assert copies.is_untouched(name, text, "orders")
        assert not copies.is_untouched(name, text + "# mine\n", "orders")
    assert copies.is_shipped("contract", made["contract"], "orders")
    assert copies.is_untouched("transform", copies.PASS_THROUGH, "orders")


class Twin:
    """A copy of this project's code, to which a pipeline can be added."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for name in ("src", "tests"):
            ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(ROOT / name, path / name, ignore=ignored)
        for file in (*ROOT.glob("*.toml"), *ROOT.glob("*.yaml"), *ROOT.glob("*.lock")):
            shutil.copy2(file, path)

    def python(self, *arguments: str, fails: bool = False) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.path,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(self.path / "src")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert (done.returncode != 0) is fails and "Traceback" not in done.stdout, done.stdout
        return done.stdout

    def blueprint(self, *arguments: str, fails: bool = False) -> str:
        return self.python("-m", "blueprint", *arguments, fails=fails)

    def files(self) -> dict[str, bytes]:
        made = {".blueprint", ".prefect", "__pycache__", ".ruff_cache", ".pytest_cache"}
        paths = (path for path in self.path.rglob("*") if path.is_file())
        return {
            str(path.relative_to(self.path)): path.read_bytes()
            for path in paths
            if not made & set(path.parts)
        }


@pytest.fixture
def twin(tmp_path: Path) -> Twin:
    return Twin(tmp_path / "twin")


@pytest.fixture
def source(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        path = tmp_path / 'it\'s "hers" 1.csv'
        path.write_text(text, "utf-8")
        return str(path)

    return write


@pytest.mark.slow
def test_a_pipeline_comes_whole_and_goes_without_a_trace(
    twin: Twin, source: Callable[[str], str]
) -> None:
    before = twin.files()
    url = source("id,name\n1,a\n2,b\n")
    asked = ["--source-url", url, "--schedule", "30 6 * * 1", "--timezone", "Asia/Tokyo"]
    twin.blueprint("add-pipeline", "ingest_2", *asked)
    raw = yaml.safe_load((twin.path / "prefect.yaml").read_text("utf-8"))
    added = raw["deployments"][-1]
    assert (added["name"], added["parameters"]["source_url"]) == ("ingest_2", url)
    (schedule,) = added["schedules"]
    assert (schedule["cron"], schedule["timezone"]) == ("30 6 * * 1", "Asia/Tokyo")
    assert added["work_pool"] == raw["deployments"][0]["work_pool"]
    code = (twin.path / "src" / "ingest_2" / "contract.py").read_text("utf-8")
    assert 'TABLE = "ingest_2"' in code and 'KEY: tuple[str, ...] = ("id",)' in code
    for check in (("format", "--check"), ("check",)):
        twin.python("-m", "ruff", *check, "-q", "src/ingest_2", "tests")
    tests = [f"tests/{file}" for file in copies.tests("ingest_2")]
    twin.python("-m", "pytest", "-m", "not slow", *tests)
    twin.blueprint("lint")
    told = twin.blueprint("add-pipeline", "ingest_2", fails=True)
    assert "src/ingest_2, tests/test_ingest_2_contract.py" in told
    assert "the deployment 'ingest_2' in prefect.yaml" in told
    twin.blueprint("remove-pipeline", "ingest_2", "--yes")
    assert twin.files() == before


@pytest.mark.slow
def test_what_cannot_be_added_changes_nothing(twin: Twin, source: Callable[[str], str]) -> None:
    before = twin.files()
    for arguments, said in (
        (["--source-url", source("id\n")], ("holds no record", "Nothing was added", "--no-infer")),
        (["--source-url", "ftp://x/y", "--no-infer"], ("'ftp://x/y' is no source",)),
        (
            ["--schedule", "0 25 * * *", "--timezone", "Europe/Atlantis"],
            ("cron '0 25 * * *'", "'Europe/Atlantis' is not an IANA name"),
        ),
    ):
        told = twin.blueprint("add-pipeline", "parcels", *arguments, fails=True)
        assert [one for one in said if one not in told] == []
        assert twin.files() == before
    assert "no pipeline 'parcels'" in twin.blueprint("remove-pipeline", "parcels", fails=True)


@pytest.mark.slow
def test_the_table_of_another_pipeline_is_refused_and_its_code_kept_where_it_was_edited(
    twin: Twin, source: Callable[[str], str]
) -> None:
    twin.blueprint("add-pipeline", "parcels", "--no-infer")
    told = twin.blueprint("add-pipeline", "others", "--no-infer", "--table", "Parcels", fails=True)
    assert "is that of the pipeline parcels" in told
    # Its contract is the sample's, so nobody's, and its table stays its own.
    twin.blueprint("infer-contract", "--pipeline", "parcels", "--source", source("id\n1\n"))
    contract = twin.path / "src" / "parcels" / "contract.py"
    assert 'TABLE = "parcels"' in contract.read_text("utf-8")
    whole = twin.files()
    edited = twin.path / "src" / "parcels" / "load.py"
    for path, text in (
        (edited, edited.read_text("utf-8") + "\n# Mine.\n"),
        (twin.path / "tests" / "test_parcels_more.py", "import parcels\n"),
        (twin.path / "src" / "parcels" / "notes.txt", "mine"),
    ):
        path.write_text(text, "utf-8")
    told = twin.blueprint("remove-pipeline", "parcels", "--yes", fails=True)
    for name in ("src/parcels/load.py", "src/parcels/notes.txt", "tests/test_parcels_more.py"):
        assert f"  - {name}\n" in told
    assert "src/parcels/flow.py" not in told and twin.files().keys() > whole.keys()
    user = twin.path / "src" / "data_pipeline" / "mine.py"
    user.write_text("from parcels.contract import KEY\n", "utf-8")
    told = twin.blueprint("remove-pipeline", "parcels", "--yes", "--force", fails=True)
    assert "src/data_pipeline/mine.py imports parcels" in told
    user.unlink()
    told = twin.blueprint("remove-pipeline", "parcels", "--force", fails=True)
    assert "no terminal to ask at" in told and edited.exists()
    twin.blueprint("remove-pipeline", "parcels", "--yes", "--force")
    assert not [name for name in twin.files() if "parcels" in name]
