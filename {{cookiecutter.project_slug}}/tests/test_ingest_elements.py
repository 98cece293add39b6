"""An array is cut by what stands between its elements, and never wrongly."""

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from pydantic import BaseModel

from ingest import elements, spooling
from ingest.contract import Contract
from ingest.errors import SourceError
from ingest.formats import Format
from ingest.gate import judge, judging
from ingest.steps import Judged, Limits, SourceFile, Step

_COUNT = 40


class Item(BaseModel):
    id: int


class Record(BaseModel):
    id: int
    name: str = ""
    items: list[Item] = []


def _record(number: int) -> str:
    return json.dumps({"id": number, "name": f"Zoë, {number}"}, ensure_ascii=False)


def _judged(folder: Path, text: str | bytes, key: str | None = None) -> Judged:
    path = folder / "source.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    source = SourceFile(path, Format.JSON, "the source", path.stat().st_size, records_key=key)
    step = Step(7, Limits(1.0), folder / "quarantine", "run-1")
    return judge(source, Contract(Record, ("id",), "things"), step, folder)


@pytest.fixture
def token_by_token(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """From which elements on the gate had to look at each token."""
    begun: list[int] = []
    for module in (elements, judging):
        usual = module.array_blocks

        def noted(stream, source, records, first=None, depth=0, usual=usual):
            begun.append(first or 1)
            return usual(stream, source, records, first, depth)

        monkeypatch.setattr(module, "array_blocks", noted)
    yield begun


_BETWEEN = [",", ", ", ",\n", "\n,", " ,\r\n\t", ",\n\n  "]


@pytest.mark.parametrize("between", _BETWEEN)
@pytest.mark.parametrize("ends", ["[]", "[ \n \n]\n", "\ufeff[]"])
def test_however_elements_are_parted_only_the_last_is_looked_for(
    tmp_path: Path, between: str, ends: str, token_by_token: list[int]
) -> None:
    begin, end = ends[:-1].rstrip("]"), ends[ends.index("[") + 1 :].lstrip()
    text = begin + between.join(map(_record, range(_COUNT))) + end
    result = _judged(tmp_path, text)
    assert (result.read, result.accepted) == (_COUNT, _COUNT)
    assert token_by_token == [_COUNT]


def test_an_indented_array_is_cut_as_well(tmp_path: Path, token_by_token: list[int]) -> None:
    records = [{"id": number, "items": [{"id": 1}, {"id": 2}]} for number in range(_COUNT)]
    result = _judged(tmp_path, json.dumps(records, indent=2))
    assert (result.read, result.accepted) == (_COUNT, _COUNT)
    assert token_by_token == [_COUNT]


def test_an_array_under_a_key_ends_where_it_does(tmp_path: Path) -> None:
    text = '{"meta": [{"id": 1}], "all": [' + ",".join(map(_record, range(_COUNT))) + '], "n": 1}'
    assert _judged(tmp_path, text, "all").read == _COUNT
    with pytest.raises(SourceError, match="what follows the records is broken"):
        _judged(tmp_path, text[:-1] + "]", "all")


@pytest.mark.parametrize("begin", ['{"a.b": [', '{"a": {"b": [', '{"a": {"c": 1}, "a.b": ['])
@pytest.mark.parametrize("nested", [False, True])
def test_as_many_objects_are_closed_as_were_opened(
    tmp_path: Path, begin: str, nested: bool
) -> None:
    records = [_record(number) for number in range(_COUNT)]
    if nested:
        records[25] = '{"id": 25, "items": [{"id": 1},{"id": 2}]}'
    text = begin + ",".join(records) + "]"
    depth = begin.count("{") - begin.count("}")
    assert _judged(tmp_path, text + "}" * depth, "a.b").read == _COUNT
    for wrong, says in ((depth - 1, "is broken"), (depth + 1, "something follows")):
        with pytest.raises(SourceError, match=says):
            _judged(tmp_path, text + "}" * wrong, "a.b")


def test_a_nested_array_that_looks_alike_is_not_cut(
    tmp_path: Path, token_by_token: list[int]
) -> None:
    records = [_record(number) for number in range(_COUNT)]
    records[25] = '{"id": 25, "items": [{"id": 1},{"id": 2}]}'
    result = _judged(tmp_path, "[" + ",".join(records) + "]")
    assert (result.read, result.accepted) == (_COUNT, _COUNT)
    assert token_by_token[-1] == 22  # the first of the block in which that one stands


@pytest.mark.parametrize("place", [2, 38, 39])
def test_an_alike_array_in_the_last_records_is_no_fault_of_the_file(
    tmp_path: Path, place: int
) -> None:
    records = [_record(number) for number in range(_COUNT)]
    records[place] = json.dumps({"id": place, "items": [{"id": 1}, {"id": 2}]})
    result = _judged(tmp_path, "[" + ", ".join(records) + "]")
    assert (result.read, result.accepted) == (_COUNT, _COUNT)


def test_what_stands_alike_behind_the_records_is_no_fault_of_the_file(tmp_path: Path) -> None:
    text = '{"all": [' + ", ".join(map(_record, range(_COUNT))) + "], "
    result = _judged(tmp_path, text + '"more": [[{"id": 1}, {"id": 2}]]}', "all")
    assert (result.read, result.accepted) == (_COUNT, _COUNT)


@pytest.mark.parametrize("short", [2, 30])
def test_no_record_is_lost_where_the_records_grow_long(
    tmp_path: Path, short: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elements, "LONGEST_LINE", 2000)
    monkeypatch.setattr(spooling, "LONGEST_LINE", 2000)
    monkeypatch.setattr(elements, "_HEAD", 4000)
    monkeypatch.setattr(elements, "_PIECE", 500)
    names = ["a"] * short + ["x" * 3000] * (_COUNT - short)
    text = json.dumps([{"id": number, "name": name} for number, name in enumerate(names)])
    result = _judged(tmp_path, text)
    assert (result.read, result.accepted) == (_COUNT, _COUNT)
    with duckdb.connect(str(result.staging)) as connection:
        found = connection.execute("SELECT name FROM accepted ORDER BY _position").fetchall()
    assert [name for (name,) in found] == names


@pytest.mark.parametrize(
    ("spoiled", "reason"),
    [
        ('{"id": NaN}', "NaN is not a JSON value"),
        ('{"id": "x"}', "valid integer"),
        ('{"id": 1, "name": "\\ud800"}', "cannot be written"),
        ("7", "must be an object"),
    ],
)
def test_a_refused_element_keeps_its_place(tmp_path: Path, spoiled: str, reason: str) -> None:
    records = [_record(number) for number in range(_COUNT)]
    records[25] = spoiled
    result = _judged(tmp_path, "[" + ",\n".join(records) + "]")
    assert (result.read, result.accepted) == (_COUNT, _COUNT - 1)
    (refused,) = result.first_refused
    assert (refused.position, refused.raw) == (26, spoiled)
    assert reason in refused.reason


@pytest.mark.parametrize(
    "broken",
    [
        '{"id": 25, "name": "a\nb"}',
        '{"id": 25, "name": "a\tb"}',
        '{"id": 25}, ',
        '{"id": 25} {"id": 26}',
        '{"id": 25,}',
        '{"id": 25',
        "",
    ],
)
def test_what_is_no_json_ends_the_run(tmp_path: Path, broken: str) -> None:
    records = [_record(number) for number in range(_COUNT)]
    records[25] = broken
    with pytest.raises(SourceError, match="not a whole JSON array"):
        _judged(tmp_path, "[" + ",\n".join(records) + "]")


@pytest.mark.parametrize("end", ["", "] 1", ",]", '{"id": 1}]'])
def test_an_array_without_a_sound_end_ends_the_run(tmp_path: Path, end: str) -> None:
    with pytest.raises(SourceError, match="not a whole JSON array"):
        _judged(tmp_path, "[" + ",\n".join(map(_record, range(_COUNT))) + end)


def test_undecodable_text_ends_the_run(tmp_path: Path) -> None:
    text = ("[" + ",\n".join(map(_record, range(_COUNT))) + "]").encode()
    with pytest.raises(SourceError, match="UTF-8"):
        _judged(tmp_path, text.replace(b"Zo\xc3\xab, 30", b"Zo\xff, 30"))


@pytest.mark.parametrize("piece", [1, 5, 64])
def test_no_edge_of_what_is_read_at_once_shows(
    tmp_path: Path, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elements, "_PIECE", piece)
    monkeypatch.setattr(spooling, "_PIECE", piece)
    monkeypatch.setattr(elements, "_HEAD", 150)
    result = _judged(tmp_path, "[" + ",\n".join(map(_record, range(_COUNT))) + "]")
    assert (result.read, result.accepted) == (_COUNT, _COUNT)
