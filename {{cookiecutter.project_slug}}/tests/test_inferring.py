"""contract.py is written from the source, and never over what a person has written."""

import importlib
import sys
from pathlib import Path

import duckdb
import pytest

import data_pipeline
from blueprint import inferring, manifest
from blueprint.pipelines import copies, which
from blueprint.project import Problem
from ingest.errors import ContractError, SourceError
from ingest.inference import inferred_from
from ingest.inference.code import Code
from ingest.inference.shapes import Parts


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A contract and a transform as they were shipped, in a folder of the test's."""
    folder = tmp_path / "src" / "data_pipeline"
    folder.mkdir(parents=True)
    for name in ("contract", "transform"):
        # Inference has them imported anew; the tests after this one hold what they have imported.
        module = importlib.import_module(f"data_pipeline.{name}")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setattr(data_pipeline, name, module)
    contract, transform = folder / "contract.py", folder / "transform.py"
    for path in (contract, transform):
        path.write_text(copies.shipped(path.stem), "utf-8")
    monkeypatch.setattr(inferring, "ROOT", tmp_path)
    monkeypatch.setattr(which, "ROOT", tmp_path)
    monkeypatch.setattr(manifest, "packages", lambda: ["data_pipeline"])
    return contract, transform


def source(folder: Path, text: str, name: str = "things.ndjson") -> str:
    path = folder / name
    path.write_text(text, "utf-8")
    return str(path)


def deployment(url: str) -> dict[str, dict[str, str]]:
    return {"parameters": {"source_url": url}}


def test_phase_1_infers_where_the_contract_is_still_the_samples(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    contract, transform = files
    url = source(tmp_path, '{"id": 1}\n')
    assert inferring.follow_source(deployment(url))
    assert inferred_from(contract.read_text("utf-8")) == url
    assert transform.read_text("utf-8") == copies.PASS_THROUGH
    assert not inferring.follow_source(deployment(url))  # and once only
    assert not list(contract.parent.glob(".*"))


def test_phase_1_leaves_the_samples_contract_to_the_sample(files: tuple[Path, Path]) -> None:
    assert not inferring.follow_source(deployment(inferring.SAMPLE))
    assert not inferring.follow_source(deployment(str(inferring.resolve(inferring.SAMPLE))))
    assert files[0].read_text("utf-8") == copies.shipped("contract")


def test_phase_1_follows_the_source_until_somebody_edits_the_contract(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    contract, _ = files
    inferring.follow_source(deployment(source(tmp_path, '{"id": 1}\n')))
    other = deployment(source(tmp_path, '{"id": 1, "name": "x"}\n', "other.ndjson"))
    assert inferring.follow_source(other)
    assert "name: str" in contract.read_text("utf-8")
    edited = contract.read_text("utf-8").replace("name: str", "name: str | None = None")
    contract.write_text(edited, "utf-8")
    assert not inferring.follow_source(deployment(source(tmp_path, '{"a": 1}\n')))
    assert contract.read_text("utf-8") == edited


def test_an_edited_contract_is_replaced_only_when_told(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contract, _ = files
    contract.write_text("TABLE = 'mine'\n", "utf-8")
    url = source(tmp_path, '{"id": 1}\n')
    with pytest.raises(Problem, match="has been edited.*\n.*--force"):
        inferring.infer_contract(url)
    assert contract.read_text("utf-8") == "TABLE = 'mine'\n"
    inferring.infer_contract(url, force=True)
    assert inferred_from(contract.read_text("utf-8")) == url
    assert "git has what was committed" in capsys.readouterr().out


def test_an_edited_transform_is_kept_and_told(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, transform = files
    transform.write_text("# mine\nx = 1\n", "utf-8")
    inferring.infer_contract(source(tmp_path, '{"id": 1}\n'))
    assert transform.read_text("utf-8") == "# mine\nx = 1\n"
    assert "does it fit the new contract?" in capsys.readouterr().out


def test_a_source_that_cannot_be_read_leaves_all_as_it_was(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    for url in (str(tmp_path / "none.csv"), source(tmp_path, "")):
        with pytest.raises(SourceError):
            inferring.infer_contract(url)
    assert [path.read_text("utf-8") for path in files] == [
        copies.shipped(path.stem) for path in files
    ]


def test_code_that_is_not_the_writers_own_is_neither_run_nor_written(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = tmp_path / "ran"

    class Slipping(Code):
        def __init__(self, record: Parts, key: str | None, table: str) -> None:
            super().__init__(record, key, table)
            self.text += f"open({str(ran)!r}, 'w').close()\n"

    monkeypatch.setattr("ingest.inference.inferring.Code", Slipping)
    with pytest.raises(ContractError, match="not written, because it holds"):
        inferring.infer_contract(source(tmp_path, '{"id": 1}\n'))
    assert not ran.exists()
    assert [path.read_text("utf-8") for path in files] == [
        copies.shipped(path.stem) for path in files
    ]


def test_what_a_person_should_know_is_told(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inferring.infer_contract(source(tmp_path, '{"name": "x"}\n{broken\n'))
    told = capsys.readouterr().out
    assert "1 records, every one of which it accepts" in told
    assert "no key" in told and "1 records were passed over" in told and "record 2" in told


def test_a_column_of_which_values_cannot_be_read_as_they_are_is_told(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "things.parquet"
    duckdb.execute(
        "COPY (SELECT INTERVAL 2 MONTH AS span, INTERVAL 40 DAY AS days, 'infinity'::DATE AS day, "
        f"now() AS moment) TO '{path}' (FORMAT parquet)"
    )
    inferring.infer_contract(str(path))
    told = capsys.readouterr().out
    assert "'span': a month becomes 30 days" in told
    assert "'day': infinity becomes the last day of the year 9999" in told
    assert told.count("column '") == 2


def test_no_password_of_a_sources_address_is_written() -> None:
    assert "secret" not in inferring._called("https://ann:secret@example.com/x.csv")
