"""A cut holds the first records of a source as they are."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pydantic import BaseModel

from blueprint.cuts import cut_source
from data_pipeline import contract as contract_module
from ingest.contract import Contract
from ingest.cut import Cut, cut
from ingest.formats import Reading
from ingest.readers import read
from ingest.sources import fetch

Serve = Callable[..., Any]


def test_lines_stay_as_they_are_also_the_bad_ones(serve: Serve, tmp_path: Path) -> None:
    served = serve({"body": b'\xef\xbb\xbf{"a": 1.50}\r\n\n{"a": \n{"a": "\xff"}\n{"a": 4}\n'})
    small = cut(fetch(served.url, tmp_path), tmp_path / "new" / "small", 3)
    assert small == Cut(tmp_path / "new" / "small.ndjson", 3)
    assert small.path.read_bytes() == b'{"a": 1.50}\n{"a": \n{"a": "\xff"}\n'


def test_an_array_stays_an_array(tmp_path: Path) -> None:
    source = tmp_path / "source.json"
    source.write_text('[{"a": 1.5}, 2, {"a": "ü"}]', encoding="utf-8")
    small = cut(fetch(str(source), tmp_path), tmp_path / "small", 2)
    assert (small.path.name, small.count) == ("small.json", 2)
    assert json.loads(small.path.read_text("utf-8")) == [{"a": 1.5}, 2]


def test_rows_keep_their_header_and_cells(tmp_path: Path) -> None:
    source = tmp_path / "source.csv"
    source.write_bytes(b'a;b\r\n"x\r\ny";2\r\n3\r\n4;5\r\n')
    small = cut(fetch(str(source), tmp_path), tmp_path / "small", 2)
    assert small.count == 2
    assert small.path.read_bytes() == b'a;b\n"x\r\ny";2\n3\n'


def test_the_records_of_an_object_stay_under_their_key(tmp_path: Path) -> None:
    source = tmp_path / "source.json"
    source.write_text('{"n": 3, "data": {"all": [{"a": 1.50}, {"a": 2}, {"a": 3}]}}')
    found = fetch(str(source), tmp_path, reading=Reading(records_key="data.all"))
    small = cut(found, tmp_path / "small", 2)
    again = fetch(str(small.path), tmp_path, reading=Reading(records_key="data.all"))
    assert [raw.text() for raw in read(again)] == ['{"a": 1.50}', '{"a": 2}']


def test_the_records_of_an_object_are_found_again_in_a_cut(tmp_path: Path) -> None:
    source = tmp_path / "source.json"
    source.write_text('{"n": 3, "all": [{"a": 1.50}, {"a": 2}]}')
    small = cut(fetch(str(source), tmp_path), tmp_path / "small", 1)
    again = fetch(str(small.path), tmp_path)
    assert (again.records_key, [raw.text() for raw in read(again)]) == ("all", ['{"a": 1.50}'])


def test_rows_of_a_parquet_file_keep_their_types(tmp_path: Path) -> None:
    source = tmp_path / "source.parquet"
    duckdb.sql("SELECT i::SMALLINT AS a FROM range(9) AS t(i)").write_parquet(str(source))
    small = cut(
        fetch(str(source), tmp_path), tmp_path / "small", 2, keep=lambda raw: raw.value["a"] > 3
    )
    assert duckdb.sql(f"SELECT a, typeof(a) FROM '{small.path}'").fetchall() == [
        (4, "SMALLINT"),
        (5, "SMALLINT"),
    ]


@pytest.mark.parametrize("name", ["file_row_number", "File_Row_Number", "n0", "places"])
def test_a_parquet_file_may_have_a_column_of_any_name(tmp_path: Path, name: str) -> None:
    source = tmp_path / "source.parquet"
    duckdb.sql(f"SELECT i AS {name}, -i AS b FROM range(3, 9) AS t(i)").write_parquet(str(source))
    small = cut(
        fetch(str(source), tmp_path), tmp_path / "small", 2, keep=lambda raw: raw.value["b"] < -4
    )
    assert duckdb.sql(f"FROM '{small.path}'").columns == [name, "b"]
    assert duckdb.sql(f"FROM '{small.path}'").fetchall() == [(5, -5), (6, -6)]
    none = cut(fetch(str(source), tmp_path), tmp_path / "none", 2, keep=lambda raw: False)
    assert (none.count, duckdb.sql(f"FROM '{none.path}'").fetchall()) == (0, [])


def test_a_short_source_is_taken_whole(tmp_path: Path) -> None:
    source = tmp_path / "source.ndjson"
    source.write_text('{"a": 1}')
    assert cut(fetch(str(source), tmp_path), tmp_path / "small", 100).count == 1


def test_records_that_are_not_wanted_are_passed_over(tmp_path: Path) -> None:
    source = tmp_path / "source.csv"
    source.write_bytes(b'a,b\n"x\ny",2\n3\n\n4,5\n6,"7\n8"\n9,9\n')
    small = cut(
        fetch(str(source), tmp_path), tmp_path / "small", 2, keep=lambda raw: raw.fault is None
    )
    assert small.path.read_bytes() == b'a,b\n"x\ny",2\n4,5\n'
    later = cut(
        fetch(str(source), tmp_path), tmp_path / "later", 2, keep=lambda raw: raw.position > 3
    )
    assert later.path.read_bytes() == b'a,b\n6,"7\n8"\n9,9\n'
    none = cut(fetch(str(source), tmp_path), tmp_path / "none", 2, keep=lambda raw: False)
    assert (none.count, none.path.read_bytes()) == (0, b"a,b\n")


def test_what_the_proofs_run_on_holds_only_records_that_a_run_accepts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Record(BaseModel):
        id: int
        a: Any = None

    monkeypatch.setattr(contract_module, "CONTRACT", Contract(Record, ("id",), "things"))
    deep = '{"id": 1, "a": ' + "[" * 300 + "]" * 300 + "}"
    source = tmp_path / "source.ndjson"
    others = [json.dumps({"id": value}) for value in ("x", 2**63, 4)]
    source.write_text("\n".join([deep, *others, ""]))
    small = cut_source({"parameters": {"source_url": str(source)}}, tmp_path / "small")
    assert small.path.read_text() == '{"id": 4}\n'
