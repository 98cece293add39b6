"""What an inferred contract lands is what the source held."""

import json
from datetime import datetime
from pathlib import Path

import duckdb
from judging import cells, inferred, landed, ndjson

from ingest.schema import columns_of


def test_what_lies_beside_another_type_lands_as_it_came(tmp_path: Path) -> None:
    values = [
        "x",
        {"n": 2**63, "Name": "a", "name": "b", "at": "2024-01-01 10:00", "_x": 1.0},
        {"other": 1, "n": 1, "z": [], "within": [{"a": 1}, {"b": "2"}, 2**70]},
        [1, 2.5, None, {"a": {}}],
        2**64,
    ]
    path = ndjson(tmp_path, [{"x": value, "list": [value, 1]} for value in values])
    _, contract = inferred(path)
    assert columns_of(contract.record) == {"x": "JSON", "list": "JSON[]"}
    for row, value in zip(landed(path, contract), values, strict=True):
        # As text, since 1 and 1.0 are equal, and the order of keys is none to a dict.
        assert json.dumps(json.loads(row["x"])) == json.dumps(value)
        assert json.dumps([json.loads(one) for one in row["list"]]) == json.dumps([value, 1])


def test_a_key_that_is_unique_as_text_names_as_many_rows(tmp_path: Path) -> None:
    path = cells(tmp_path, ["id", "a"], [["0", "x"], ["-0", "y"]])
    found, contract = inferred(path)
    assert found.key == ("id",)
    assert [row["id"] for row in landed(path, contract)] == ["0", "-0"]


def test_nanoseconds_of_parquet_keep_all_their_digits(tmp_path: Path) -> None:
    moment, clock = "2024-01-01 10:00:00.123456789", "10:00:00.000000001"
    path = tmp_path / "things.parquet"
    fine, whole = f"TIMESTAMP_NS '{moment}'", "TIMESTAMP_NS '2024-01-01 10:00:00.5'"
    duckdb.execute(
        f"COPY (SELECT 1 AS id, {fine} AS t, '{clock}'::TIME_NS AS clock, {whole} AS whole, "
        f"struct_pack(at := {fine}) AS within, [{fine}] AS list, map(['k'], [{fine}]) AS map) "
        f"TO '{path}' (FORMAT parquet)"
    )
    found, contract = inferred(path)
    assert found.columns["whole"] == "TIMESTAMP"
    (row,) = landed(path, contract)
    assert (row["t"], row["clock"]) == (moment, clock)
    assert row["whole"] == datetime(2024, 1, 1, 10, 0, 0, 500_000)
    assert row["within"] == {"at": moment}
    assert row["list"] == [moment] and row["map"] == {"k": moment}


def test_bytes_land_as_base64_that_the_warehouse_reads(tmp_path: Path) -> None:
    path = tmp_path / "things.parquet"
    duckdb.execute(
        "COPY (SELECT 1 AS id, '\\xFF\\xFB'::BLOB AS raw, {'raw': '\\xFF\\xFB'::BLOB} AS within, "
        f"['\\xFF\\xFB'::BLOB, NULL] AS list) TO '{path}' (FORMAT parquet)"
    )
    (row,) = landed(path, inferred(path)[1])
    (held,) = duckdb.execute("SELECT from_base64(?)", [row["raw"]]).fetchall()
    assert held == (b"\xff\xfb",)
    assert row["within"] == {"raw": row["raw"]} and row["list"] == [row["raw"], None]
