"""Each format is recognised and read; a bad record is a fault, a bad file an error."""

import gzip
import sys
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from judging import found_in

from ingest import opening
from ingest.cells import CsvBlocks
from ingest.detecting import recognised
from ingest.errors import SourceError
from ingest.formats import MAX_RECORD, Compression, Format, RawRecord, Reading
from ingest.readers import read
from ingest.steps import SourceFile

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def write(folder: Path, content: bytes, name: str = "source") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def records(folder: Path, content: bytes, fmt: Format) -> list[RawRecord]:
    path = write(folder, content)
    return list(read(SourceFile(path, fmt, "the source", len(content))))


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
        (b"a;b\n1;2\n", "", "x", Format.CSV),
        (b'{"n": 1, "all": [{"a": 1}, {"a": 2}]}', "application/json", "x", Format.JSON),
        (b'{"n": 1, "all": [{"a": 1}, {"a": 2}]}', "application/x-ndjson", "x", Format.NDJSON),
        (b'{\n "n": 1,\n "all": [\n{"a": 1}]}', "", "x", Format.JSON),
        (b'{"a": 1, "items": [{"b": 1}]}\n{"a": 2, "items": []}\n', "", "x.json", Format.NDJSON),
        (gzip.compress(b'[{"a": 1}]'), "application/gzip", "x.json.gz", Format.JSON),
        (zstd.compress(b"a,b\n1,2\n"), "", "x.csv.zst", Format.CSV),
    ],
)
def test_a_format_is_recognised(
    tmp_path: Path, content: bytes, content_type: str, name: str, expected: Format
) -> None:
    path = write(tmp_path, content)
    assert recognised(path, content_type, name, "it").format is expected


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<!doctype html><title>Log in</title>", "HTML"),
        (b"\x1f\x8b\x08\x00", "no whole gzip file"),
        (b"PK\x03\x04....", "ZIP"),
        ('{"a": 1}'.encode("utf-16"), "UTF-8"),
        (b'{\n  "data": [1,\n2]}', "one JSON object"),
        (b"what is this", "no known format"),
    ],
)
def test_what_is_no_source_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        recognised(write(tmp_path, content), "", "source", "it")


@pytest.mark.parametrize("name", ["x", "x.ndjson", "x.json", "x.csv", "x.tsv"])
@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b" \r\n\t\n", b"\n" * 70_000])
def test_what_holds_nothing_is_an_empty_source_in_every_text_format(
    tmp_path: Path, name: str, content: bytes
) -> None:
    for reading in (Reading(), Reading(format=Format.CSV), Reading(records_key="a")):
        for packed in (content, gzip.compress(content)):
            assert list(read(found_in(tmp_path, packed, reading, name))) == []


def test_an_empty_parquet_file_is_none(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no Parquet file"):
        found_in(tmp_path, b"", Reading(), "x.parquet")


@pytest.mark.parametrize(
    ("content", "content_type", "name", "says", "really"),
    [
        (b"a,b\n1,2\n", "application/json", "x.csv", "is JSON by", Format.CSV),
        (b"a\n1\n", "", "x.json", "is JSON by", Format.CSV),
        (b'[{"a": 1, "b": 1}]', "", "x.csv", "is CSV by", Format.JSON),
        (b'[{"a": 1, "b": 1}]', "text/csv", "x", "is CSV by", Format.JSON),
        (b'{"a" :1}\n{"a": 2}\n', "", "x.csv", "is CSV by", Format.NDJSON),
        (b"a,b\n1,2\n", "", "x.parquet", "no Parquet", Format.CSV),
    ],
)
def test_what_its_name_or_type_calls_wrongly_can_be_called_rightly(
    tmp_path: Path, content: bytes, content_type: str, name: str, says: str, really: Format
) -> None:
    path = write(tmp_path, content, name)
    with pytest.raises(SourceError, match=says + r".*Reading\(format="):
        recognised(path, content_type, name, "it")
    assert all(
        raw.fault is None for raw in read(found_in(tmp_path, content, Reading(really), name))
    )


def test_a_header_may_begin_with_a_bracket(tmp_path: Path) -> None:
    for content in (b"[a],{b}\n1,2\n", b'{"a"},[1\n1,2\n'):
        assert found_in(tmp_path, content, Reading(), "x.csv").format is Format.CSV


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
    for broken in (b'[{"a": 1}, {"a"', b'[{"a": 1}', b"[", b"[{}] x", b'[{"a": "\xff"}]'):
        with pytest.raises(SourceError, match="not a whole JSON array"):
            records(tmp_path, broken, Format.JSON)


def test_an_element_too_long_for_memory_is_an_error_that_says_so(tmp_path: Path) -> None:
    content = b'[{"a": 1}, {"a": "' + b"x" * (2 * MAX_RECORD) + b'"}]'
    with pytest.raises(SourceError, match="after record 1: the next one is longer than 16 MiB"):
        records(tmp_path, content, Format.JSON)


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
    assert [raw.position for raw in found] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no header"),
        (b"a,a\n1,2\n", "names a column twice: a"),
        (b"a,\n1,2\n", "number 2 of 2.*no delimiter at the end"),
        (b",a,b\n0,1,2\n", r"number 1 of 3.*index=False"),
        (b'a,b\n1,"2\n3,4\n', "not sound CSV"),
        (b'a,"b\n1,2\n3,4\n', "not sound CSV in its header"),
        (b"x" * (2 * 1024 * 1024), "header of more than 1 MiB"),
        (b"a,b\n1," + b"x" * (3 * MAX_RECORD), "line of more than 16 MiB"),
        (b"a,b\n1," + b"x" * (MAX_RECORD + 1) + b"\n", "or a cell is longer than 16 MiB"),
        (b"a,b\n1,\xe9\n", "not UTF-8"),
    ],
)
def test_a_crooked_csv_is_an_error(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        records(tmp_path, content, Format.CSV)


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("between", [b"\n", b"\r\n", b"\r"])
def test_rows_end_with_any_line_break_and_none_is_lost(
    tmp_path: Path, ending: bytes, between: bytes
) -> None:
    content = b"a,b" + ending + b"1,2" + between + b"3,4" + between
    found = records(tmp_path, content, Format.CSV)
    assert [raw.value for raw in found] == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]


def test_an_unclosed_quote_before_many_lines_is_found_at_once(tmp_path: Path) -> None:
    content = b'a,b\n1,"2\n' + b"3,4\n" * 1_000_000
    with pytest.raises(SourceError, match="not sound CSV after row 0"):
        records(tmp_path, content, Format.CSV)


@pytest.mark.parametrize("delimiter", ["||", '"', "\n"])
def test_what_cannot_be_a_delimiter_is_named(tmp_path: Path, delimiter: str) -> None:
    with pytest.raises(SourceError, match="cannot stand between the fields"):
        found_in(tmp_path, b"a,b\n1,2\n", Reading(delimiter=delimiter))


@pytest.mark.parametrize(
    ("content", "header"),
    [
        (
            "Datum;Betrag, netto;Betrag, brutto\n2024-01-01;1,5;2,5\n",
            "Datum|Betrag, netto|Betrag, brutto",
        ),
        ("Betrag, netto;Betrag, brutto\n1,5;2,5\n", "Betrag, netto|Betrag, brutto"),
        ('"id";"name, first";"city, zip"\n1;"a, b";"c, d"\n', "id|name, first|city, zip"),
        ("total (EUR, net, gross)\tid\n5\t1\n6\t2\n", "total (EUR, net, gross)|id"),
        ('"first\nname";b;c\n1;2;3\n', "first\nname|b|c"),
        ('"a, b";"first\nname"\n', "a, b|first\nname"),
        ('id,"a;b"\n1,"x;y"\n2,"z;z"\n', "id|a;b"),
        ("id,pos (lat;lon),n\n1,52.1;13.4,2\n", "id|pos (lat;lon)|n"),
        ("id, name\n1,a;b\n2,c\n", "id| name"),
        ("name\na;b\n", "name"),
        ("id;note\n1;" + "a, b" * 30_000 + '\n2;"c', "id|note"),
    ],
)
def test_a_csv_is_cut_where_its_rows_are_cut_like_its_header(
    tmp_path: Path, content: str, header: str
) -> None:
    source = found_in(tmp_path, content.encode(), Reading(), "x.csv")
    with opening.opened(source) as stream:
        assert "|".join(CsvBlocks(stream, source, 1).header) == header


def test_a_csv_that_is_cut_wrongly_says_that_its_delimiter_can_be_set(tmp_path: Path) -> None:
    other = Reading(delimiter=",")
    for header in (b'"id";"a, b"\n', b"a;x,,c\n", b"a;x,b,b\n"):
        with pytest.raises(SourceError, match=r"',' is not what parts .*Reading\(delimiter="):
            list(read(found_in(tmp_path, header, other)))
    (found,) = read(found_in(tmp_path, b"a, net;b\n1;2\n", other))
    assert "Reading(delimiter=" in str(found.fault)


@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress])
def test_packed_text_is_read_and_a_missing_end_is_an_error(tmp_path: Path, pack: Any) -> None:
    content = pack(b"".join(b'{"a": %d}\n' % number for number in range(5000)))
    source = found_in(tmp_path, content, Reading())
    assert len(list(read(source))) == 5000
    assert source.compression in (Compression.GZIP, Compression.ZSTD)
    source.path.write_bytes(content[:-9])
    with pytest.raises(SourceError, match="no whole"):
        list(read(source))


def test_a_zip_bomb_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_HARMLESS", 1024 * 1024)
    bomb = gzip.compress(b"[" + b" " * 2**25)
    with pytest.raises(SourceError, match="zip bomb"):
        list(read(found_in(tmp_path, bomb, Reading(), "x.json")))


def test_another_encoding_is_read_where_it_is_named(tmp_path: Path) -> None:
    text = "a;b\nÄ;ß\n"
    for encoding in ("cp1252", "utf-16"):
        source = found_in(tmp_path, text.encode(encoding), Reading(encoding=encoding))
        assert [raw.value for raw in read(source)] == [{"a": "Ä", "b": "ß"}]
    with pytest.raises(SourceError, match="no encoding"):
        found_in(tmp_path, b"a", Reading(encoding="klingon"))


def test_a_format_can_be_named_against_all_signs(tmp_path: Path) -> None:
    named = Reading(format=Format.CSV, delimiter="|")
    source = found_in(tmp_path, b'{"a"|b\n1|2\n', named, "x.ndjson")
    assert [raw.value for raw in read(source)] == [{'{"a"': "1", "b": "2"}]


def test_parquet_gives_python_values(tmp_path: Path) -> None:
    path = tmp_path / "x"
    duckdb.sql("SELECT 1 AS a, DATE '2026-01-02' AS b, NULL AS c").write_parquet(str(path))
    (found,) = read(recognised(path, "", "x", "it"))
    assert found.value == {"a": 1, "b": date(2026, 1, 2), "c": None}
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(SourceError, match="no sound Parquet"):
        list(read(recognised(path, "", "x", "it")))
