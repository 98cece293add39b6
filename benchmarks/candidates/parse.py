"""A limit: each line of the fetched file becomes a Python value, by the fastest parser there is."""

from __future__ import annotations

import orjson

from job import Job


def run(job: Job) -> int:
    count = 0
    with job.file.open("rb") as lines:
        for line in lines:
            orjson.loads(line)
            count += 1
    return count
