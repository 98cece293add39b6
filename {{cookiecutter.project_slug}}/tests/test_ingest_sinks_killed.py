"""A load that is killed at any moment and repeated leaves each row once."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from sink_rules import FULL, KEYED, UNKEYED, stage

from ingest.contract import Contract
from ingest.sinks import open_sink

ROWS = "SELECT id, md5(id::VARCHAR) AS name FROM range({}) t(id)"
BEFORE, AFTER = 200_000, 600_000
CHILD = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[1].split("|")
from sink_rules import FULL, KEYED, UNKEYED, Ready, replace
from ingest.sinks import open_sink
sink = open_sink(sys.argv[2])
contract = KEYED if sys.argv[4] == "keyed" else UNKEYED
print("begun", flush=True)
sink.load(Ready(Path(sys.argv[3]), int(sys.argv[5]), 0, 0), contract, replace(FULL, run_id="new"))
"""


def size(folder: Path) -> int:
    total = 0
    for path in folder.iterdir():
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # renamed meanwhile
            continue
    return total


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "contract"),
    [("lake/target.duckdb", KEYED), ("lake/target.duckdb", UNKEYED), ("lake/", KEYED)],
    ids=["DuckDB", "DuckDB without a key", "Parquet"],
)
def test_killed_and_repeated_a_load_leaves_each_row_once(
    tmp_path: Path, target: str, contract: Contract
) -> None:
    sink = open_sink(target, tmp_path)
    sink.load(stage(tmp_path, ROWS.format(BEFORE)), contract, FULL)
    ready, lake = stage(tmp_path, ROWS.format(AFTER)), tmp_path / "lake"
    arguments = [
        "|".join(sys.path),
        str(tmp_path / target) + ("/" if target[-1] == "/" else ""),
        str(ready.staging),
        "keyed" if contract.key else "unkeyed",
        str(AFTER),
    ]
    before, cut_short = size(lake), 0
    for grown in (0, 200_000, 5_000_000):
        with subprocess.Popen(
            [sys.executable, "-c", CHILD, *arguments], stdout=subprocess.PIPE
        ) as child:
            assert child.stdout
            child.stdout.readline()
            while child.poll() is None and size(lake) < before + grown:
                pass
            child.kill()
        committed = sink.committed("things", "new")
        cut_short += not committed
        assert held(tmp_path / target) == ((AFTER, AFTER) if committed else (BEFORE, BEFORE))
    assert cut_short
    sink.load(ready, contract, replace(FULL, run_id="new"))
    assert held(tmp_path / target) == (AFTER, AFTER)
    last = sink.last_load("things")
    assert last and last.run_id == "new" and last.rows == AFTER


def held(target: Path) -> tuple[int, int]:
    """How many rows there are, and how many keys."""
    with duckdb.connect() as connection:
        if target.suffix:
            connection.execute(f"ATTACH '{target}' AS t; USE t")
        table = "things" if target.suffix else f"'{target}/things.parquet'"
        counts = connection.execute(f"SELECT count(*), count(DISTINCT id) FROM {table}")
        rows, keys = counts.fetchall()[0]
        return rows, keys
