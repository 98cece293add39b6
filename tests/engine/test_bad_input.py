"""Bad input of each kind ends in a clear error or in quarantined records: nothing lost or doubled."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import duckdb
import pytest
from ingest.contract import Contract
from ingest.errors import PipelineError
from ingest.formats import MAX_RECORD
from ingest.gate import judge
from ingest.loading import Load
from ingest.sinks import open_sink
from ingest.sources import fetch
from ingest.staging import stage
from ingest.steps import Limits, Step
from pydantic import BaseModel, Field


class Record(BaseModel):
    id: int
    name: Annotated[str, Field(min_length=1)] = "?"


CONTRACT = Contract(Record, ("id",), "things")
GOOD = b'{"id": 1, "name": "a"}\n{"id": 2, "name": "b"}\n'


def load(folder: Path, content: bytes, name: str = "things.ndjson") -> list[Any]:
    """Bring the content through the whole engine; returns the ids and names that were loaded."""
    path = folder / name
    path.write_bytes(content)
    work = folder / "work"
    work.mkdir()
    source = fetch(str(path), work)
    judged = judge(source, CONTRACT, Step(1000, Limits(1.0), folder / "quarantine", "run-1"), work)
    ready = stage(judged, CONTRACT, lambda records: records, work)
    target = folder / "w.duckdb"
    open_sink(str(target)).load(ready, CONTRACT, Load("run-1", source.url, judged.read))
    with duckdb.connect(str(target)) as connection:
        return connection.execute("SELECT id, name FROM things ORDER BY id").fetchall()


def refused(folder: Path) -> list[tuple[int, str]]:
    """Positions and reasons in the quarantine."""
    (path,) = (folder / "quarantine").iterdir()
    entries = [json.loads(line) for line in path.read_bytes().splitlines()]
    return [(entry["position"], entry["reason"]) for entry in entries]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"id": 3, "name": "\xff"}', "not UTF-8"),
        (b'{"id": NaN}', "NaN is not a JSON value"),
        (b'{"id": 3, "name": "a\x00b"}', "not JSON"),
        (b'{"id": 3, "name": "tab\x01"}', "not JSON"),
        (b'{"id": 3, "name": "open', "not JSON"),
        (b'{"id": 99999999999999999999}', "does not fit its column"),
        (b"[1, 2]", "must be an object"),
        (b'{"id": 3} {"id": 4}', "not JSON"),
        (b'{"id": 3, "name": ""}', "at least 1 character"),
        (b'{"name": "nobody"}', "Field required"),
        (b'{"id":' * 100_000, "nested too deeply"),
        (b'{"id": 3, "name": "' + b"x" * (MAX_RECORD + 10) + b'"}', "longer than"),
    ],
)
def test_a_bad_line_is_quarantined_and_the_others_land(
    tmp_path: Path, line: bytes, reason: str
) -> None:
    first, second = GOOD.splitlines(keepends=True)
    assert load(tmp_path, first + line + b"\n" + second) == [(1, "a"), (2, "b")]
    ((position, why),) = refused(tmp_path)
    assert position == 2
    assert reason in why


def test_of_a_key_that_comes_twice_in_a_record_the_last_counts(tmp_path: Path) -> None:
    assert load(tmp_path, b'{"id": 1, "id": 7, "name": "x", "name": "y"}\n') == [(7, "y")]


def test_of_records_with_equal_keys_the_last_counts(tmp_path: Path) -> None:
    lines = b"".join(b'{"id": %d, "name": "%d"}\n' % (n % 3, n) for n in range(30_000))
    assert load(tmp_path, lines) == [(0, "29997"), (1, "29998"), (2, "29999")]


def test_an_escaped_nul_is_kept(tmp_path: Path) -> None:
    assert load(tmp_path, b'{"id": 1, "name": "a\\u0000b"}\n') == [(1, "a\x00b")]


def test_an_empty_source_has_no_rows(tmp_path: Path) -> None:
    assert load(tmp_path, b"") == []


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        (b"<html><body>Log in</body></html>", "things.ndjson", "HTML or XML"),
        (GOOD.decode().encode("utf-16"), "things.ndjson", "UTF-16"),
        (b'[{"id": 1}, {"id": 2}', "things.json", "after record 2"),
        (b'{"data": [{"id": 1}], "next"', "things.json", "not a whole JSON object"),
        (b'id,name\n1,a\n2,"b\n3,c\n', "things.csv", "unclosed quote"),
        (b"id,id\n1,2\n", "things.csv", "names a column twice"),
        (b"id,name\n1,caf\xe9\n", "things.csv", "not UTF-8"),
        (b"", "things.csv", "no header"),
        (gzip.compress(GOOD)[:-6], "things.ndjson.gz", "no whole gzip file"),
        (b"PAR1 and nothing more", "things.parquet", "no sound Parquet"),
        (b"\x00\x01\x02", "things", "no known format"),
    ],
)
def test_a_bad_file_is_an_error_and_loads_nothing(
    tmp_path: Path, content: bytes, name: str, says: str
) -> None:
    with pytest.raises(PipelineError, match=says):
        load(tmp_path, content, name)
    assert not (tmp_path / "w.duckdb").exists()


def test_crooked_rows_of_a_csv_are_quarantined(tmp_path: Path) -> None:
    content = b'id,name\r\n1,a\r\n2\r\n3,c,d\r\n4,"e\nf"\r\nx,y\r\n5,g\r\n'
    assert load(tmp_path, content, "things.csv") == [(1, "a"), (4, "e\nf"), (5, "g")]
    found = refused(tmp_path)
    assert [position for position, _ in found] == [2, 3, 5]
    assert "the row has 1 fields, the header 2" in found[0][1]


PEAK = """
import resource, sys, tempfile
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from ingest.contract import Contract
from ingest.gate import judge
from ingest.sources import fetch
from ingest.steps import Limits, Step
from pydantic import BaseModel
class Record(BaseModel):
    id: int
folder = Path(tempfile.mkdtemp(dir=sys.argv[2]))
source = fetch(sys.argv[3], folder)
step = Step(50_000, Limits(1.0), folder / "q", "run")
found = judge(source, Contract(Record, ("id",), "things"), step, folder)
print(found.read, found.rejected, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def peak(folder: Path, path: Path) -> list[int]:
    """Records read and refused, and the most memory in MB, of a process that judges a file."""
    engine = next(path for path in sys.path if path.endswith("}/src"))
    command = [sys.executable, "-c", PEAK, engine, str(folder), str(path)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return [int(word) for word in done.stdout.split()]


@pytest.mark.slow
def test_a_line_of_two_gigabytes_is_refused_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "things.ndjson"
    with path.open("wb") as file:
        file.write(b'{"id": 1, "x": "')
        file.seek(2 * 1024**3)  # a hole that reads as NUL bytes
        file.write(b'"}\n{"id": 2}\n')
    read, rejected, memory = peak(tmp_path, path)
    assert (read, rejected) == (2, 1)
    assert memory < 600


@pytest.mark.slow
def test_memory_does_not_grow_with_the_source(tmp_path: Path) -> None:
    sizes = []
    for records in (300_000, 1_500_000):
        path = tmp_path / f"{records}.ndjson"
        with path.open("w") as file:
            file.writelines(f'{{"id": {n}, "x": "{n:0200}"}}\n' for n in range(records))
        read, rejected, memory = peak(tmp_path, path)
        assert (read, rejected) == (records, 0)
        sizes.append(memory)
    assert sizes[1] < 1.2 * sizes[0]
