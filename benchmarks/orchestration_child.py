"""The flow and the bare engine in turns, in the stamped project: see orchestration.py."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from dataclasses import replace

from data_pipeline.flow import data_pipeline

from candidates import blueprint
from job import Job


def main() -> None:
    job, rounds = Job.parse(sys.argv[1]), int(sys.argv[2])
    # What a first run alone pays: imports that wait for their use, connections.
    data_pipeline(source_url="data/sample_orders.ndjson", target=job.target)
    with job.file.open("rb", buffering=0) as source:  # so that none comes first to a cold disk
        while source.read(1 << 20):
            pass
    seconds: dict[str, list[float]] = {"flow": [], "engine": []}
    for number in range(rounds):
        # Turned around each time, so that neither always comes first.
        for way in ("flow", "engine") if number % 2 == 0 else ("engine", "flow"):
            seconds[way].append(_timed(way, job, number))
    (job.work / "result.json").write_text(json.dumps(seconds), "utf-8")


def _timed(way: str, job: Job, number: int) -> float:
    work = job.work / f"{way}-{number}"
    work.mkdir()
    target = work / "target.duckdb"
    os.sync()  # neither pays for what the other has written
    began = time.perf_counter()
    if way == "flow":
        data_pipeline(source_url=job.url, target=str(target))
    else:
        blueprint.run(replace(job, target=str(target), work=work))
        # As the flow does it: to give some gigabytes back takes the system a while.
        for path in work.iterdir():
            if path != target:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    seconds = time.perf_counter() - began
    for path in work.iterdir():  # ten million rows twice over need not fit the disk
        if path.is_file():
            path.unlink()
    return seconds


if __name__ == "__main__":
    main()
