"""Each format is recognised and read; a bad record is a fault, a bad file an error."""

from pathlib import Path
from typing import Any

import pytest

from ingest.errors import SourceError
from ingest.formats import MAX_RECORD, Format, RawRecord, detect
from ingest.readers import read


def write(folder: Path, content: bytes, name: str = "source") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def records(folder: Path, content: bytes, fmt: Format) -> list[RawRecord]:
    return list(read(write(folder, content), fmt, "the source"))


@pytest.mark.parametrize(
    ("content", "content_type", "name", "expected"),
    [
        (b'{"a": 1}\n', "application/x-ndjson; charset=utf-8", "x", Format.NDJSON),
        (b'{"a": 1}\n', "", "x.jsonl", Format.NDJSON),
        (b'{"a": 1}\n{"a": 2}\n', "application/json", "x", Format.NDJSON),
        (b' \n[{"a": 1}]', "", "x", Format.JSON),
        (b'\xef\xbb\xbf[{"a": 1}]', "text/plain", "x", Format.JSON),
        (b'[{"a": 1}]', "application/x-ndjson", "x", Format.JSON),
        (b"a,b\n1,2\n", "", "x", Format.CSV),
        (b"a\n1\n", "text/csv", "x.json", Format.CSV),
        (b"", "", "x", Format.NDJSON),
    ],
)
def test_a_format_is_recognised(
    tmp_path: Path, content: bytes, content_type: str, name: str, expected: Format
) -> None:
    assert detect(write(tmp_path, content), content_type, name, "it") is expected


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<!doctype html><title>Log in</title>", "HTML"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"PAR1....", "Parquet"),
        ('{"a": 1}'.encode("utf-16"), "UTF-8"),
        (b'{\n  "data": [\n', "one JSON object"),
        (b"what is this", "no known format"),
    ],
)
def test_what_is_no_source_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        detect(write(tmp_path, content), "", "source", "it")


def test_a_bad_line_is_a_fault_and_the_rest_is_read(tmp_path: Path) -> None:
    lines = [b'{"a": 1}', b"", b'{"a": NaN}', b'{"a": ', b"[1]", b'{"a": "\xff"}', b'{"a": 2}']
    found = records(tmp_path, b"\r\n".join(lines), Format.NDJSON)
    assert [raw.position for raw in found] == [1, 3, 4, 5, 6, 7]
    assert [raw.value for raw in found if not raw.fault] == [{"a": 1}, {"a": 2}]
    assert ["NaN" in str(found[1].fault), "not JSON" in str(found[2].fault)] == [True, True]
    assert ["object" in str(found[3].fault), "not UTF-8" in str(found[4].fault)] == [True, True]
    assert found[4].text() == '{"a": "\\xff"}'


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    for fmt, content in [
        (Format.NDJSON, b'{"a": "1"}'),
        (Format.JSON, b'[{"a": "1"}]'),
        (Format.CSV, b"a\n1"),
    ]:
        found = records(tmp_path, b"\xef\xbb\xbf" + content, fmt)
        assert [raw.value for raw in found] == [{"a": "1"}]


def test_a_line_too_long_for_memory_is_a_fault(tmp_path: Path) -> None:
    long = b'{"a": "' + b"x" * (2 * MAX_RECORD) + b'"}\n'
    found = records(tmp_path, long + b'{"a": 2}\n', Format.NDJSON)
    assert [bool(raw.fault) for raw in found] == [True, False]
    assert len(found[0].text()) < 2000


def test_deep_nesting_is_a_fault(tmp_path: Path) -> None:
    found = records(tmp_path, b'{"a": ' + b"[" * 100_000 + b'\n{"a": 2}\n', Format.NDJSON)
    assert [bool(raw.fault) for raw in found] == [True, False]


@pytest.mark.parametrize(
    "number", ["1", "1.0", "-0.0", "1e3", "0.1", "123456789012345678901", "1E400"]
)
def test_an_array_gives_the_numbers_that_json_gives(tmp_path: Path, number: str) -> None:
    record = b'{"a": [' + number.encode() + b"]}"
    line = records(tmp_path, record, Format.NDJSON)
    array = records(tmp_path, b"[" + record + b"]", Format.JSON)
    as_shown: list[Any] = [(type(raw.value["a"][0]), repr(raw.value)) for raw in (*line, *array)]
    assert as_shown[0] == as_shown[1]


def test_an_array_that_breaks_off_is_an_error(tmp_path: Path) -> None:
    for broken in (b'[{"a": 1}, {"a"', b'[{"a": 1}', b"[", b'[{"a": NaN}]', b'[{"a": "\xff"}]'):
        with pytest.raises(SourceError, match="not a whole JSON array"):
            records(tmp_path, broken, Format.JSON)


def test_a_member_that_is_no_object_is_a_fault(tmp_path: Path) -> None:
    found = records(tmp_path, b'[{"a": 1}, 2, [3]]', Format.JSON)
    assert [(raw.position, bool(raw.fault)) for raw in found] == [(1, False), (2, True), (3, True)]


def test_csv_leaves_empty_fields_out_and_refuses_crooked_rows(tmp_path: Path) -> None:
    content = b'a,b\n1,\n\n"x\ny",NA\n1,2,3\n4\n'
    found = records(tmp_path, content, Format.CSV)
    assert [raw.value for raw in found if not raw.fault] == [{"a": "1"}, {"a": "x\ny", "b": "NA"}]
    assert [raw.fault for raw in found if raw.fault] == [
        "the row has 3 fields, the header 2",
        "the row has 1 fields, the header 2",
    ]
    assert [raw.position for raw in found] == [2, 5, 6, 7]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no header"),
        (b"a,a\n1,2\n", "names a column twice: a"),
        (b"a,\n1,2\n", "without a name"),
        (b'a,b\n1,"2\n3,4\n', "not sound CSV"),
        (b"a,b\n1,\xe9\n", "not UTF-8"),
    ],
)
def test_a_crooked_csv_is_an_error(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        records(tmp_path, content, Format.CSV)
