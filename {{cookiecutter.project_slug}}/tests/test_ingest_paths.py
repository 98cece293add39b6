"""Whatever the folders are called: the pipeline reads and writes the very files it means."""

import sys
from datetime import date
from pathlib import Path

import duckdb
import pytest
from pydantic import BaseModel

from ingest.contract import Contract
from ingest.cut import cut
from ingest.duck import literal
from ingest.errors import TargetError
from ingest.gate import judge
from ingest.inference.inferring import infer
from ingest.loading import Load, Ready
from ingest.sinks import open_sink
from ingest.sources import fetch
from ingest.staging import stage
from ingest.steps import Limits, Step


class Record(BaseModel):
    id: int
    name: str


CONTRACT = Contract(Record, ("id",), "things")
ROWS = [(1, "one"), (2, "two")]
FOLDERS = ["id=5", "[x]", "it's", "name=7/%20 é"]
if sys.platform != "win32":  # whose names hold none of < > : " | ? *
    FOLDERS += ["a*b", 'it\'s "quoted"']


def _source(folder: Path, suffix: str) -> Path:
    path = folder / f"source.{suffix}"
    rows = "(VALUES (1, 'one'), (2, 'two')) AS t(id, name)"
    if suffix == "parquet":
        with duckdb.connect() as connection:
            connection.execute(f"COPY (FROM {rows}) TO {literal(str(path))} (FORMAT parquet)")
        return path
    texts = {
        "ndjson": '{"id": 1, "name": "one"}\n{"id": 2, "name": "two"}\n',
        "json": '[{"id": 1, "name": "one"}, {"id": 2, "name": "two"}]',
        "csv": "id,name\n1,one\n2,two\n",
    }
    path.write_text(texts[suffix], "utf-8")
    return path


@pytest.mark.parametrize("suffix", ["ndjson", "json", "csv", "parquet"])
@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_of_any_name_is_only_a_folder(tmp_path: Path, name: str, suffix: str) -> None:
    folder = tmp_path / name
    work = folder / "work"
    work.mkdir(parents=True)
    # What a pattern in the folder's name would find as well.
    decoy = tmp_path / "aXb"
    decoy.mkdir()
    _source(decoy, suffix)
    source = fetch(str(_source(folder, suffix)), work)
    step = Step(10, Limits(0.0), folder / "quarantine", "run-1")
    judged = judge(source, CONTRACT, step, work)
    for number, target in enumerate(("duckdb:///{}/t.duckdb", "parquet:///{}/files")):
        ready = stage(judged, CONTRACT, lambda records: records, work)
        sink = open_sink(target.format(folder))
        assert sink.load(ready, CONTRACT, Load(f"run-{number}", source.url, 2)).inserted == 2
        again = sink.load(ready, CONTRACT, Load(f"more-{number}", source.url, 2))
        assert (again.inserted, again.unchanged) == (0, 2)
    assert cut(source, folder / "cut", 1).count == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no folder there has such a name")
def test_a_folder_that_duckdb_cannot_use_is_named(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"no database at .*what\?/t.duckdb.*Rename"):
        open_sink(f"duckdb:///{tmp_path}/what?/t.duckdb").load(
            Ready(tmp_path / "staging.duckdb", 0, 0, 0), CONTRACT, Load("run", "source", 0)
        )


@pytest.mark.parametrize("suffix", ["ndjson", "json", "csv", "parquet"])
def test_a_key_is_found_in_a_folder_of_any_name(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / ("id=5 [x]" if sys.platform == "win32" else "id=5 [*]")
    (folder / "work").mkdir(parents=True)
    source = fetch(str(_source(folder, suffix)), folder / "work")
    assert infer(source, date(2026, 1, 1)).contract.key == ("id",)
