"""Lines are cut into files as they are cut in memory."""

import io
from pathlib import Path

import pytest

from ingest import spooling
from ingest.blocks import line_blocks
from ingest.spooling import spooled_lines

_LINE = b'{"id": 1, "name": "some text"}\n'


def _stream(data: bytes) -> io.BufferedReader:
    return io.BufferedReader(io.BytesIO(data))


def _both(data: bytes, records: int, folder: Path) -> tuple[list[bytes], list[bytes]]:
    spare: list[Path] = []
    in_files = []
    for block in spooled_lines(_stream(data), records, folder, spare):
        in_files.append(block.in_memory().data)
        if block.file:
            ends = in_files[-1].count(b"\n") + (in_files[-1][-1:] != b"\n")
            assert (block.file.lines, block.file.size) == (ends, len(in_files[-1]))
            if len(in_files) % 3:
                spare.append(block.file.path)
    return in_files, [block.data for block in line_blocks(_stream(data), records)]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\xef\xbb\xbf",
        b"\xef\xbb\xbf" + _LINE * 3,
        _LINE * 10,
        _LINE * 9 + _LINE[:-1],
        _LINE * 4 + b"\n\n" + _LINE * 4,
        b"x" * 300 + b"\n" + _LINE * 5,
    ],
)
@pytest.mark.parametrize("records", [1, 3, 10, 1000])
@pytest.mark.parametrize("piece", [4, 50, 1000])
@pytest.mark.parametrize("long", [0, 128])
def test_the_files_hold_the_very_lines(
    tmp_path: Path,
    data: bytes,
    records: int,
    piece: int,
    long: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spooling, "_PIECE", piece)
    monkeypatch.setattr(spooling, "_LONG", long)
    in_files, in_memory = _both(data, records, tmp_path)
    assert b"".join(in_files) == b"".join(in_memory)
    assert [part.count(b"\n") for part in in_files] == [part.count(b"\n") for part in in_memory]


@pytest.mark.parametrize("place", [0, 2, 5])
def test_from_a_long_line_on_blocks_are_in_memory(
    tmp_path: Path, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spooling, "LONGEST_LINE", 500)
    monkeypatch.setattr(spooling, "_PIECE", 64)
    lines = [_LINE] * 6
    lines[place] = b"y" * 2000 + b"\n"
    stream = _stream(b"".join(lines))
    found = list(spooled_lines(stream, 2, tmp_path))
    assert b"".join(block.in_memory().data for block in found) == b"".join(lines)
    assert any(block.file is None for block in found)
    firsts = [block.first or 0 for block in found]
    counts = [block.in_memory().data.count(b"\n") for block in found]
    assert firsts == [1 + sum(counts[:number]) for number in range(len(counts))]


@pytest.mark.parametrize("odd", [b"\r", b"\x01", b"\xef\xbb\xbf"])
def test_what_duckdb_would_read_otherwise_is_said(tmp_path: Path, odd: bytes) -> None:
    stream = _stream(_LINE + odd + _LINE + _LINE)
    plain = [block.file.plain for block in spooled_lines(stream, 1, tmp_path) if block.file]
    assert plain == [True, False, True]


def test_a_file_that_is_not_filled_is_not_left(tmp_path: Path) -> None:
    list(spooled_lines(_stream(_LINE), 1, tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["lines-00000001"]


def test_a_spare_file_is_written_over_under_another_name(tmp_path: Path) -> None:
    spare: list[Path] = []
    names, texts = set(), []
    for block in spooled_lines(_stream(_LINE * 3 + _LINE[1:] + _LINE), 1, tmp_path, spare):
        assert block.file
        names.add(block.file.path.name)
        texts.append(block.file.path.read_bytes())
        assert [path.name for path in tmp_path.iterdir()] == [block.file.path.name]
        spare.append(block.file.path)
    # DuckDB may know a file by its name.
    assert len(names) == 5
    assert texts == [_LINE, _LINE, _LINE, _LINE[1:], _LINE]


def test_a_file_that_takes_but_a_part_is_an_error(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="only POSIX limits the size of files so")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    blocks = spooled_lines(_stream(_LINE * 10), 1000, tmp_path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(_LINE) * 5, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            next(blocks)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
