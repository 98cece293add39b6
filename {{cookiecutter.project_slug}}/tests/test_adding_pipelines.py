"""A second pipeline: added beside the first, and taken away again, with nothing else touched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from twin import Twin

from blueprint.pipelines import copies

pytestmark = pytest.mark.slow


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
    for check in (("format", "--check"), ("check",)):
        twin.python("-m", "ruff", *check, "-q", "src/ingest_twin", "tests")
    tests = [f"tests/{file}" for file in copies.tests("ingest_twin")]
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
        told = twin.blueprint("add-pipeline", "twin_parcels", *arguments, fails=True)
        assert [one for one in said if one not in told] == []
        assert twin.files() == before
    assert "no pipeline 'twin_parcels'" in twin.blueprint("remove-pipeline", "twin_parcels", fails=True)


def test_the_table_of_another_pipeline_is_refused_and_its_code_kept_where_it_was_edited(
    twin: Twin, source: Callable[[str], str]
) -> None:
    twin.blueprint("add-pipeline", "twin_parcels", "--no-infer")
    told = twin.blueprint("add-pipeline", "twin_others", "--no-infer", "--table", "Twin_Parcels", fails=True)
    assert "is that of the pipeline twin_parcels" in told
    # Its contract is the sample's, so nobody's, and its table stays its own.
    twin.blueprint("infer-contract", "--pipeline", "twin_parcels", "--source", source("id\n1\n"))
    contract = twin.path / "src" / "twin_parcels" / "contract.py"
    assert 'TABLE = "twin_parcels"' in contract.read_text("utf-8")
    whole = twin.files()
    edited = twin.path / "src" / "twin_parcels" / "load.py"
    for path, text in (
        (edited, edited.read_text("utf-8") + "\n# Mine.\n"),
        (twin.path / "tests" / "test_twin_parcels_more.py", "import twin_parcels\n"),
        (twin.path / "src" / "twin_parcels" / "notes.txt", "mine"),
    ):
        path.write_text(text, "utf-8")
    told = twin.blueprint("remove-pipeline", "twin_parcels", "--yes", fails=True)
    for name in ("src/twin_parcels/load.py", "src/twin_parcels/notes.txt", "tests/test_twin_parcels_more.py"):
        assert f"  - {name}\n" in told
    assert "src/twin_parcels/flow.py" not in told and twin.files().keys() > whole.keys()
    user = twin.path / "src" / "data_pipeline" / "mine.py"
    user.write_text("from twin_parcels.contract import KEY\n", "utf-8")
    told = twin.blueprint("remove-pipeline", "twin_parcels", "--yes", "--force", fails=True)
    assert "src/data_pipeline/mine.py imports twin_parcels" in told
    user.unlink()
    told = twin.blueprint("remove-pipeline", "twin_parcels", "--force", fails=True)
    assert "no terminal to ask at" in told and edited.exists()
    twin.blueprint("remove-pipeline", "twin_parcels", "--yes", "--force")
    assert not [name for name in twin.files() if "twin_parcels" in name]
