"""What an inferred contract lands is what the source held."""

import json
from pathlib import Path

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
