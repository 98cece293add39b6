"""Of one object that holds the records, these are found; its other fields are an envelope."""

import json
from pathlib import Path

import pytest
from judging import found_in

from ingest.cut import cut
from ingest.detecting import recognised
from ingest.errors import SourceError
from ingest.formats import MAX_RECORD, Format, Reading
from ingest.readers import read

LONG = 70_000  # characters: more than are looked at for the format


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (
            b'{"n": 2, "data": {"x": "]}", "all": [{"a": 1}, {"a": 2}], "y": 1}, "z": [3]}',
            "data.all",
        ),
        (b'\xef\xbb\xbf{"all": [{"a":\n1},\n{"a": 2}\n]\n}\n', "all"),
    ],
)
def test_records_are_found_under_their_key(tmp_path: Path, content: bytes, key: str) -> None:
    found = list(read(found_in(tmp_path, content, Reading(records_key=key))))
    assert [raw.value for raw in found] == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("start", "key"),
    [
        ('{"a.b": ', "a.b"),
        ('{"a": 5, "a.b": ', "a.b"),
        ('{"a": {"c": 1, "bc": [1]}, "n": {}, "a.b": ', "a.b"),
        ('{"x": {"a.b": ', "x.a.b"),
        ('{"a\\"b": ', 'a"b'),
    ],
)
def test_a_key_may_hold_dots_and_quotes(tmp_path: Path, start: str, key: str) -> None:
    content = start + '[{"id": 1}, {"id": 2}]' + "}" * (1 + start.startswith('{"x"'))
    named = Reading(records_key=key)
    for reading in (Reading(), named) if not start.startswith('{"x"') else (named,):
        source = found_in(tmp_path, content.encode(), reading, "x.json")
        small = cut(source, tmp_path / "small", 1)
        again = recognised(small.path, "", "small.json", "it", reading)
        assert [[raw.value["id"] for raw in read(one)] for one in (source, again)] == [[1, 2], [1]]
    with pytest.raises(SourceError, match=r"no key 'a\.b\.c'"):
        list(read(found_in(tmp_path, content.encode(), Reading(records_key="a.b.c"))))


def test_a_missing_key_is_an_error_and_not_an_empty_source(tmp_path: Path) -> None:
    source = found_in(tmp_path, b'{"data": [{"a": 1}]}', Reading(records_key="dta"))
    with pytest.raises(SourceError, match="no key 'dta'"):
        list(read(source))


def test_an_object_with_several_arrays_asks_which(tmp_path: Path) -> None:
    content = b'{\n"a": [{"x": 1}],\n"b": [{"x": 2}]}'
    with pytest.raises(SourceError, match=r"several arrays: a, b.*records_key"):
        found_in(tmp_path, content, Reading())


@pytest.mark.parametrize("more", [0, LONG])
@pytest.mark.parametrize("name", ["orders", "orders.json"])
@pytest.mark.parametrize("end", ["", "\n", " \n\n"])
def test_an_object_gives_the_records_that_it_holds_whatever_its_size(
    tmp_path: Path, more: int, name: str, end: str
) -> None:
    rows, text = [{"a": 1}, {"a": 2}], "x" * more
    bodies = [
        json.dumps({"meta": text, "all": rows, "n": [1]}),
        json.dumps({"all": [*rows, {"a": text}]}),
        '{"meta": "' + text + '", "all": [{"a": 1}\n, {"a": 2}]}',
        '{"all": [{"a": 1}, {"a": 2}, {"a": "' + text + '"}]\n}',
    ]
    for body in bodies:
        content = (body + end).encode()
        source = found_in(tmp_path, content, Reading(), name)
        assert (source.format, source.records_key) == (Format.JSON, "all")
        assert [raw.value for raw in read(source)][:2] == rows
        assert "the records under 'all'" in source.kind


@pytest.mark.parametrize("more", [0, LONG])
@pytest.mark.parametrize("last", ["[]", '[ {"b": 1}]'])
def test_an_object_with_several_arrays_asks_which_whatever_its_size(
    tmp_path: Path, more: int, last: str
) -> None:
    given = json.dumps({"meta": {"x": [{}]}, "all": [{"a": "x" * more}], "n": 1, "b": 0})
    content = given.replace('"b": 0', f'"b": {last}')
    with pytest.raises(SourceError, match=r"several arrays: all, b\. .*records_key"):
        list(read(found_in(tmp_path, content.encode(), Reading(), "x.json")))
    named = found_in(tmp_path, content.encode(), Reading(records_key="all"), "x.json")
    assert len(list(read(named))) == 1


@pytest.mark.parametrize("more", [0, LONG])
@pytest.mark.parametrize("name", ["x", "x.json", "x.ndjson"])
def test_objects_in_lines_stay_records_whatever_their_length(
    tmp_path: Path, more: int, name: str
) -> None:
    line = json.dumps({"a": "x" * more, "items": [{"b": 1}]}).encode()
    for content in (line + b"\n" + line, b"\n" + line + b" \r\n\n" + line + b"\n"):
        assert found_in(tmp_path, content, Reading(), name).format is Format.NDJSON
    record = json.dumps({"a": "x" * more, "b": [1]}).encode()
    assert found_in(tmp_path, record, Reading(), name).format is Format.NDJSON


def test_an_array_beside_the_records_may_be_longer_than_a_record(tmp_path: Path) -> None:
    texts = b'"n": [' + b'"%b",' % (b"x" * LONG) * (MAX_RECORD // LONG + 2) + b"1]"
    for content in (b'{ %b, "all": [{"a": 1}]}', b'{"all": [{"a": 1}], %b}'):
        (found,) = read(found_in(tmp_path, content % texts, Reading(records_key="all")))
        assert found.value == {"a": 1}


def test_what_follows_the_records_is_read_to_its_end(tmp_path: Path) -> None:
    source = found_in(tmp_path, b'{"all": [{"a": 1}], "next": ', Reading(records_key="all"))
    with pytest.raises(SourceError, match="not a whole JSON object"):
        list(read(source))
