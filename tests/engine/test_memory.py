"""The most memory that a process needs to judge a source does not depend on the source's size."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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
