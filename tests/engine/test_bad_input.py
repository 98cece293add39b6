"""Bad input of each kind, through the whole engine: an error in words, or a refused record."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
from ingest.contract import Contract
from ingest.errors import SourceError
from ingest.formats import MAX_RECORD
from ingest.gate import judge
from ingest.loading import Load
from ingest.sinks import open_sink
from ingest.sources import fetch
from ingest.staging import stage
from ingest.steps import Limits, Step
from pydantic import BaseModel


class Row(BaseModel):
    id: int
    name: str | None = None


CONTRACT = Contract(Row, ("id",), "things")
MEMORY = 600  # MiB that a run may take, whatever the source


def loaded(folder: Path, name: str, content: bytes) -> tuple[list[Any], list[dict[str, Any]]]:
    """The rows of the table after a run of this source, and what was refused of it."""
    path = folder / name
    path.write_bytes(content)
    return run(folder, path)


def run(folder: Path, path: Path) -> tuple[list[Any], list[dict[str, Any]]]:
    work = folder / "work"
    work.mkdir(exist_ok=True)
    source = fetch(str(path), work)
    judged = judge(source, CONTRACT, Step(3, Limits(1.0), folder / "refused", "run-1"), work)
    ready = stage(judged, CONTRACT, lambda records: records, work)
    target = folder / "target.duckdb"
    load = Load("run-1", source.url, judged.read)
    open_sink(f"duckdb:///{target}").load(ready, CONTRACT, load)
    with duckdb.connect(str(target), read_only=True) as connection:
        rows = connection.execute("SELECT id, name FROM things ORDER BY id").fetchall()
    refused = []
    if judged.quarantine:
        refused = [json.loads(line) for line in judged.quarantine.read_bytes().splitlines()]
    assert judged.read == judged.accepted + len(refused)
    return rows, refused


REFUSED = [
    (b"\xff", "not UTF-8"),
    (b'{"id": 9', "not JSON"),
    (b'{"id": NaN}', "NaN is not a JSON value"),
    (b'{"id": 2, "name": Infinity}', "Infinity is not a JSON value"),
    (b'{"id": ' + b"9" * 5000 + b"}", "4300 digits"),
    (b'{"id": 9223372036854775808}', "does not fit its column"),
    (b'{"id": 1e400}', "finite number"),
    (b'{"id": 2, "name": "\x00"}', "Invalid control character"),
    (b'\x00{"id": 2}', "not JSON"),
    (b'{"id": 2, "name": "\\ud800"}', "cannot be written"),
    (b'{"id": 2}{"id": 3}', "Extra data"),
    (b'\xef\xbb\xbf{"id": 2}', "not JSON"),
    (b"<html>", "not JSON"),
    (b"[1]", "must be an object"),
    (b'{"name": "nobody"}', "Field required"),
    (b'{"id": 2, "name": ' + b"[" * 100_000, "nested too deeply"),
    (b'{"id": 2, "name": "' + b"x" * MAX_RECORD + b'"}', "longer than 16 MiB"),
]


@pytest.mark.parametrize("place", [0, 3])
@pytest.mark.parametrize(("bad", "says"), REFUSED, ids=[says for _, says in REFUSED])
def test_a_bad_line_is_refused_and_all_others_are_loaded(
    tmp_path: Path, bad: bytes, says: str, place: int
) -> None:
    lines = [b'{"id": %d}' % number for number in (10, 11, 12, 13)]
    lines.insert(place, bad)
    # As the first line of all, a byte order mark is none of the line's.
    start = b"\xef\xbb\xbf" if place == 0 else b""
    # The first line tells the format: it must not be what another format begins with.
    if place == 0:
        lines.insert(0, b'{"id": 9}')
    rows, refused = loaded(tmp_path, "x.ndjson", start + b"\n".join(lines) + b"\n")
    assert [row[0] for row in rows] == ([9] if place == 0 else []) + [10, 11, 12, 13]
    (entry,) = refused
    assert (entry["position"], says in entry["reason"]) == (place + 1 + (place == 0), True)
    assert len(entry["raw"]) < 110_000


def test_of_a_key_that_comes_twice_the_last_counts(tmp_path: Path) -> None:
    lines = [b'{"id": 1, "name": "a", "name": "b"}', b'{"id": 2, "name": "a", "\\u006eame": "c"}']
    lines += [b'{"id": 3, "name": "a"}', b'{"id": 4, "id": "x"}']
    rows, refused = loaded(tmp_path, "x.ndjson", b"\n".join(lines))
    assert rows == [(1, "b"), (2, "c"), (3, "a")]
    assert [entry["position"] for entry in refused] == [4]


def test_of_records_with_equal_keys_the_last_counts(tmp_path: Path) -> None:
    lines = b"".join(b'{"id": %d, "name": "%d"}\n' % (n % 3, n) for n in range(3000))
    assert loaded(tmp_path, "x.ndjson", lines)[0] == [(0, "2997"), (1, "2998"), (2, "2999")]


def test_crooked_rows_of_a_csv_are_refused(tmp_path: Path) -> None:
    content = b'id,name\r\n1,a\r\n2\r\n3,c,d\r\n4,"e\nf"\r\nx,y\r\n5,g\r\n'
    rows, refused = loaded(tmp_path, "x.csv", content)
    assert rows == [(1, "a"), (4, "e\nf"), (5, "g")]
    assert [entry["position"] for entry in refused] == [2, 3, 5]
    assert "the row has 1 fields, the header 2" in refused[0]["reason"]


def test_a_nul_that_is_written_as_one_is_a_character(tmp_path: Path) -> None:
    rows, _ = loaded(tmp_path, "x.ndjson", b'{"id": 1, "name": "a\\u0000b"}\n')
    assert rows == [(1, "a\x00b")]
    (tmp_path / "csv").mkdir()
    assert loaded(tmp_path / "csv", "x.csv", b"id,name\n1,a\x00b\n")[0] == [(1, "a\x00b")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.ndjson", b""),
        ("x.ndjson", b"\xef\xbb\xbf"),
        ("x.ndjson", b"\n \r\n"),
        ("x.json", b""),
        ("x.csv", b""),
        ("x.csv", b"\n\n"),
        ("x.tsv", b" \r\n\t\n"),
        ("x.json", b"[]"),
        ("x.json", b'{"things": []}'),
        ("x.csv", b"id,name\n"),
        ("x.csv", b"id,name\r\n\r\n"),
    ],
)
def test_a_source_without_records_loads_nothing(tmp_path: Path, name: str, content: bytes) -> None:
    assert loaded(tmp_path, name, content) == ([], [])


BROKEN = [
    ("x.json", b"<!doctype html><title>Log in</title>", "HTML"),
    ("x.json", b'[{"id": 1}, {"id": 2}, {"i', "not a whole JSON array"),
    ("x.json", b'[{"id": 1}, {"id": 2}]]', "something follows"),
    ("x.json", b'{"data": [{"id": 1}], "next"', "not a whole JSON object"),
    ("x", b"\x00\x01\x02", "no known format"),
    ("x.json", b'[{"id": 1}, {"id": "\xe9"}]', "UTF-8"),
    ("x.csv", b"id,name\n1,a\n2,\xe9\n", "not UTF-8.*Reading"),
    ("x.csv", b'id,name\n1,a\n2,"b\n3,c\n', "not sound CSV after row 1"),
    ("x.csv", b'id,"name\n1,a\n2,b\n', "not sound CSV in its header"),
    ("x.csv", b"id,name,id\n1,a,2\n", "names a column twice: id"),
    ("x.csv", b"id,\n1,a\n", "without a name"),
    ("x.ndjson.gz", gzip.compress(b'{"id": 1}\n' * 9)[:-9], "no whole gzip"),
    ("x.ndjson.gz", gzip.compress(b'{"id": 1}\n')[:-8] + b"\0" * 8, "no whole gzip"),
    ("x.parquet", b"PAR1" + b"\0" * 100, "no sound Parquet"),
    ("x.parquet", b'{"id": 1}', "no Parquet"),
    ("x.json", '[{"id": 1}]'.encode("utf-16"), "UTF-16"),
]


@pytest.mark.parametrize(("name", "content", "says"), BROKEN, ids=[says for *_, says in BROKEN])
def test_a_broken_source_is_an_error_and_loads_nothing(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    with pytest.raises(SourceError, match=says):
        loaded(tmp_path, name, content)
    assert not (tmp_path / "target.duckdb").exists()
    assert not list(tmp_path.glob("refused/*"))


def judge_only(folder: Path, path: Path) -> tuple[list[Any], list[dict[str, Any]]]:
    """How many records were read, without loading them."""
    step = Step(50_000, Limits(1.0), folder / "refused", "run-1")
    return [judge(fetch(str(path), folder), CONTRACT, step, folder / path.stem).read], []


def peak(path: Path, expected: str, how: str = "run") -> int:
    """The most memory, in MiB, that a run of this source takes in a process of its own."""
    code = (
        "import sys; sys.path[:0] = sys.argv[3:]\n"
        "from pathlib import Path\n"
        "from ingest.errors import SourceError\n"
        "import test_bad_input as here\n"
        f"try: print(here.shown(*here.{how}(Path(sys.argv[1]), Path(sys.argv[2]))))\n"
        "except SourceError as error: print(error)\n"
        # Not ru_maxrss: it begins with what the process that started this one had.
        "status = Path('/proc/self/status').read_text()\n"
        "print(int(status.partition('VmHWM:')[2].split()[0]) // 1024)\n"
    )
    root = str(Path(__file__).resolve().parent)
    found = subprocess.run(
        [sys.executable, "-c", code, str(path.parent), str(path), root, *sys.path],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    *said, memory = found.stdout.strip().split("\n")
    assert expected in " ".join(said)
    return int(memory)


def shown(rows: list[Any], refused: list[dict[str, Any]]) -> str:
    return f"{rows} {[entry['reason'] for entry in refused]}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "start", "filling", "end", "expected"),
    [
        (
            "x.ndjson",
            b'{"id": 1}\n{"id": 2, "name": "',
            b"x",
            b'"}\n{"id": 3}\n',
            "(3, None)] ['the",
        ),
        ("x.json", b'[{"id": 1}, {"id": 2, "name": "', b"x", b'"}]', "not a whole JSON array"),
        ("x.csv", b"id,name\n1,a\n2,", b"x", b"\n3,c\n", "line of more than 16 MiB"),
        ("x.csv", b'id,name\n1,a\n2,"', b"x\n", b'"\n3,c\n', "not sound CSV"),
        ("x.csv", b"", b"x", b"", "header of more than 1 MiB"),
        ("x.ndjson", b"", b"\0", b"", "longer than 16 MiB"),
    ],
)
def test_a_line_of_2_gb_takes_no_more_memory_than_another(
    tmp_path: Path, name: str, start: bytes, filling: bytes, end: bytes, expected: str
) -> None:
    path = tmp_path / name
    block = filling * (2**24 // len(filling))
    with path.open("wb") as file:
        file.write(start)
        for _ in range(128):
            file.write(block)
        file.write(end)
    try:
        assert peak(path, expected) < MEMORY
    finally:
        path.unlink()


@pytest.mark.slow
@pytest.mark.parametrize("start", [b'{"id": 1}\n', b"["])
def test_a_zip_bomb_takes_no_memory_and_ends(tmp_path: Path, start: bytes) -> None:
    path = tmp_path / "x.gz"
    block = b" " * 2**24
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(start)
        for _ in range(80):
            file.write(block)
    assert peak(path, "zip bomb") < MEMORY


@pytest.mark.slow
def test_memory_does_not_grow_with_the_source(tmp_path: Path) -> None:
    sizes: list[int] = []
    for records in (300_000, 1_500_000):
        path = tmp_path / f"{records}.ndjson"
        with path.open("w") as file:
            file.writelines(f'{{"id": {n}, "x": "{n:0200}"}}\n' for n in range(records))
        sizes.append(peak(path, f"[{records}]", "judge_only"))
    assert sizes[1] < 1.2 * sizes[0]
