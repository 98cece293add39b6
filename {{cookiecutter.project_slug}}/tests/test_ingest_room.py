"""A disk that is full is told as that, whatever could not be written, and nothing half stays."""

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from judging import ANY, Record

from ingest.contract import Contract
from ingest.each import each_record
from ingest.errors import SpaceError, TransformError
from ingest.formats import Compression, Format
from ingest.gate import judge
from ingest.staging import stage
from ingest.steps import Judged, SourceFile, Step

# Whoever writes there is told that the disk is full.
FULL = Path("/dev/full")
CONTRACT = Contract(Record, ("id",), "things")
pytestmark = pytest.mark.skipif(not FULL.exists(), reason=f"there is no {FULL} on this system")
MESSAGE = r"^No space is left on the disk of .+, and nothing was loaded\. Make room there, or name"


def judged(folder: Path, lines: int = 5, *, packed: bool = False) -> Judged:
    body = b"".join(b'{"id": %d}\n' % number for number in range(lines)) + b'{"id": "none"}\n'
    path = folder / "source"
    path.write_bytes(gzip.compress(body) if packed else body)
    compression = Compression.GZIP if packed else Compression.NONE
    source = SourceFile(path, Format.NDJSON, "the source", path.stat().st_size, compression)
    return judge(source, CONTRACT, Step(2, ANY, folder / "quarantine", "run-1"), folder)


@pytest.mark.parametrize("packed", [False, True])
def test_where_blocks_of_records_find_no_room(tmp_path: Path, packed: bool) -> None:
    (tmp_path / "lines-00000002").symlink_to(FULL)
    with pytest.raises(SpaceError, match=f"{MESSAGE} a folder of a larger disk with TMPDIR in"):
        judged(tmp_path, packed=packed)


def test_where_refused_records_find_no_room(tmp_path: Path) -> None:
    folder, now = tmp_path / "quarantine", datetime.now(UTC)
    folder.mkdir()
    for seconds in range(60):
        stamp = (now + timedelta(seconds=seconds)).strftime("%Y%m%dT%H%M%SZ")
        (folder / f".{stamp}-run-1.ndjson.partial").symlink_to(FULL)
    with pytest.raises(SpaceError, match=MESSAGE):
        judged(tmp_path)
    assert len([*folder.iterdir()]) == 59, "what was begun stays"


def test_where_transformed_records_find_no_room(tmp_path: Path) -> None:
    @each_record
    def as_it_is(record: dict[str, Any]) -> dict[str, Any]:
        return record

    (tmp_path / "each.ndjson").symlink_to(FULL)
    with pytest.raises(SpaceError, match=MESSAGE):
        stage(judged(tmp_path), CONTRACT, as_it_is, tmp_path)


def test_a_value_with_the_words_of_a_full_disk_is_none(tmp_path: Path) -> None:
    def amiss(records: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
        # Of what is not random, each reader makes the values anew.
        return records.project("random() AS luck, id, 'No space left'::DATE AS day")

    with pytest.raises(TransformError, match="No space left"):
        stage(judged(tmp_path), CONTRACT, amiss, tmp_path)
