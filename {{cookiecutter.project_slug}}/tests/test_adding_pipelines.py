"""A second pipeline: added beside the first, and taken away again, with nothing else touched."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from twin import Twin

from blueprint.pipelines import copies, editing

pytestmark = pytest.mark.slow

PARCELS = "twin_parcels"


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


def test_a_pipeline_comes_whole_and_goes_without_a_trace(
    twin: Twin, source: Callable[[str], str]
) -> None:
    before = twin.files()
    url = source("id,name\n1,a\n2,b\n")
    asked = ["--source-url", url, "--schedule", "30 6 * * 1", "--timezone", "Asia/Tokyo"]
    twin.blueprint("add-pipeline", "ingest_twin", *asked)
    first, added = twin.deployments
    assert (added["name"], added["parameters"]["source_url"]) == ("ingest_twin", url)
    (schedule,) = added["schedules"]
    assert (schedule["cron"], schedule["timezone"]) == ("30 6 * * 1", "Asia/Tokyo")
    assert added["work_pool"] == first["work_pool"]
    code = (twin.path / "src" / "ingest_twin" / "contract.py").read_text("utf-8")
    assert 'TABLE = "ingest_twin"' in code and 'KEY: tuple[str, ...] = ("id",)' in code
    tests = [f"tests/{file}" for file in copies.tests("ingest_twin")]
    for check in (("format", "--check"), ("check",)):
        twin.python("-m", "ruff", *check, "-q", "src/ingest_twin", *tests)
    twin.python("-m", "pytest", "-m", "not slow", *tests)
    twin.blueprint("lint")
    told = twin.blueprint("add-pipeline", "ingest_twin", fails=True)
    assert "src/ingest_twin, tests/test_ingest_twin_contract.py" in told
    assert "the deployment 'ingest_twin' in prefect.yaml" in told
    twin.blueprint("remove-pipeline", "ingest_twin", "--yes")
    assert twin.files() == before


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
        told = twin.blueprint("add-pipeline", PARCELS, *arguments, fails=True)
        assert [one for one in said if one not in told] == []
        assert twin.files() == before
    assert f"no pipeline '{PARCELS}'" in twin.blueprint("remove-pipeline", PARCELS, fails=True)


def test_the_table_of_another_pipeline_is_refused(twin: Twin, source: Callable[[str], str]) -> None:
    twin.blueprint("add-pipeline", PARCELS, "--no-infer")
    asked = ("add-pipeline", "twin_others", "--no-infer", "--table", "Twin_Parcels")
    assert f"is that of the pipeline {PARCELS}" in twin.blueprint(*asked, fails=True)
    # Its contract is the sample's, so nobody's, and its table stays its own.
    twin.blueprint("infer-contract", "--pipeline", PARCELS, "--source", source("id\n1\n"))
    assert f'TABLE = "{PARCELS}"' in twin.read(f"src/{PARCELS}/contract.py")
    # The first one's is called after its source, unless that is another pipeline's name.
    named = twin.write(f"data/{PARCELS}.csv", "id\n1\n")
    told = twin.blueprint("infer-contract", "--source", str(named))
    assert f"another pipeline loads the table {PARCELS}" in told
    contract = twin.read("src/data_pipeline/contract.py")
    assert f'TABLE = "{PARCELS}_2"' in contract
    twin.write("src/data_pipeline/contract.py", contract.replace(f"{PARCELS}_2", PARCELS))
    told = twin.blueprint("validate-setup", fails=True)
    assert f"data_pipeline and {PARCELS} both load the table {PARCELS}" in " ".join(told.split())


def test_what_somebody_has_worked_on_is_kept(twin: Twin) -> None:
    twin.blueprint("add-pipeline", PARCELS, "--no-infer")
    twin.blueprint("add-pipeline", f"{PARCELS}_eu", "--no-infer")
    whole = twin.files()
    load = f"src/{PARCELS}/load.py"
    twin.write(load, twin.read(load) + "\n# Mine.\n")
    twin.write(f"tests/test_{PARCELS}_more.py", f"import {PARCELS}\n")
    twin.write(f"src/{PARCELS}/notes.txt", "mine")
    manifest = twin.read("prefect.yaml")
    before, name, after = manifest.partition(f"- name: {PARCELS}\n")
    after = after.replace("cron: 0 9 * * *", "cron: 0 8 * * *", 1)
    backfill = {**twin.deployments[1], "name": "backfill"}
    twin.write("prefect.yaml", editing.added(before + name + after, backfill))
    told = twin.blueprint("remove-pipeline", PARCELS, "--yes", fails=True)
    edited = [f"the deployment {one} in prefect.yaml" for one in (PARCELS, "backfill")]
    for one in (*edited, load, f"src/{PARCELS}/notes.txt", f"tests/test_{PARCELS}_more.py"):
        assert f"  - {one}\n" in told
    assert f"src/{PARCELS}/flow.py" not in told and twin.files().keys() > whole.keys()
    # Code of other pipelines, and tests that are of another one too, or of one of a longer name.
    for name, text in (
        ("src/data_pipeline/mine.py", f"from {PARCELS}.contract import KEY\n"),
        (f"tests/test_{PARCELS}_both.py", f"import {PARCELS}, data_pipeline\n"),
        (f"tests/test_{PARCELS}_eu_more.py", f"import {PARCELS}\n"),
    ):
        user = twin.write(name, text)
        told = twin.blueprint("remove-pipeline", PARCELS, "--yes", "--force", fails=True)
        assert f"{name} imports {PARCELS}" in " ".join(told.split())
        user.unlink()
    told = twin.blueprint("remove-pipeline", PARCELS, "--force", fails=True)
    assert "no terminal to ask at" in told and (twin.path / load).exists()
    twin.blueprint("remove-pipeline", PARCELS, "--yes", "--force")
    left = [name for name in twin.files() if PARCELS in name.replace(f"{PARCELS}_eu", "")]
    assert not left and [one["name"] for one in twin.deployments][1:] == [f"{PARCELS}_eu"]


def test_what_is_edited_while_it_infers_is_kept_or_refused(
    twin: Twin, source: Callable[[str], str]
) -> None:
    asked = ["add-pipeline", PARCELS, "--source-url", source("id\n1\n")]
    manifest = twin.read("prefect.yaml")
    for old, new in (("batch_size: 50000", "batch_size: 7"), ("name: twin", "name: twin  # mine")):
        code = (
            "import pathlib, runpy, sys\n"
            "from blueprint import inferring\n"
            "infer, path = inferring.inferred_of, pathlib.Path('prefect.yaml')\n"
            "def slowly(*given):\n"
            f"    path.write_text(path.read_text().replace({old!r}, {new!r}))\n"
            "    return infer(*given)\n"
            "inferring.inferred_of = slowly\n"
            f"sys.argv = ['blueprint', *{asked!r}]\n"
            "runpy.run_module('blueprint', run_name='__main__')\n"
        )
        told = twin.python("-c", code, fails="batch" in old)
        if "batch" in old:
            assert "has changed meanwhile" in told and "Nothing was added" in told
            assert twin.read("prefect.yaml") == manifest.replace(old, new)
            assert not (twin.path / "src" / PARCELS).exists()
    assert "name: twin  # mine" in twin.read("prefect.yaml") and len(twin.deployments) == 2


def test_what_is_edited_while_it_asks_is_neither_lost_nor_taken_along(twin: Twin) -> None:
    twin.blueprint("add-pipeline", PARCELS, "--no-infer")
    precious = twin.path / "src" / PARCELS / "precious.sql"
    write = f"open({str(precious)!r}, 'w').write('mine')"
    for force in ((), ("--force",)):
        told = twin.answered(write, "remove-pipeline", PARCELS, *force, fails=True)
        assert f"src/{PARCELS}/precious.sql" in told and precious.read_text() == "mine"
        precious.unlink()
    edit = "import pathlib\npath = pathlib.Path('prefect.yaml')\n"
    edit += "path.write_text(path.read_text().replace('batch_size: 50000', 'batch_size: 7', 1))"
    twin.answered(edit, "remove-pipeline", PARCELS)
    (first,) = twin.deployments
    assert first["parameters"]["batch_size"] == 7 and not precious.parent.exists()


def test_a_pipeline_goes_whose_code_or_target_is_broken_or_gone(twin: Twin) -> None:
    paused = twin.read("prefect.yaml").replace("timezone: UTC", "timezone: UTC\n    active: false")
    twin.write("prefect.yaml", paused)
    told = twin.blueprint("add-pipeline", PARCELS, "--no-infer")
    assert "it does not run by itself" in told
    assert [one["schedules"][0]["active"] for one in twin.deployments] == [False, False]
    manifest = twin.read("prefect.yaml")
    config = twin.write(f"src/{PARCELS}/config.py", "this is no Python\n")
    told = twin.blueprint("remove-pipeline", PARCELS, "--dry-run", "--force")
    assert "in a target that is not known" in told
    at = manifest.rindex("batch_size: 50000")
    indent = manifest[manifest.rindex("\n", 0, at) : at]
    twin.write("prefect.yaml", manifest[:at] + "target: mysql://h/db" + indent + manifest[at:])
    told = twin.blueprint("remove-pipeline", PARCELS, "--dry-run", "--force")
    assert "in a target that is not known" in told
    twin.write("prefect.yaml", manifest)
    shutil.rmtree(config.parent)
    twin.blueprint("remove-pipeline", PARCELS, "--yes")
    assert len(twin.deployments) == 1 and not list((twin.path / "tests").glob("test_twin*"))
