"""dlt as its documentation begins: a resource with the contract as its columns, merged by key.

Pages of 1,000 parsed lines, as dlt's own reader of JSONL files yields them. Its timestamps become text, since dlt does not know AwareDatetime.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from typing import Any

# Read when dlt is imported; without it each run speaks to a server of dlt's makers.
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"

import dlt  # noqa: E402
import duckdb  # noqa: E402, F401
import orjson  # noqa: E402
import pandas  # noqa: E402, F401 (dlt imports it with the first load)
import requests  # noqa: E402
from data_pipeline.contract import Record  # noqa: E402
from dlt.destinations.impl.duckdb import duck  # noqa: E402, F401

from job import Job  # noqa: E402

PAGE = 1000


def pages(url: str, size: int) -> Iterator[list[dict[str, Any]]]:
    """The records of an NDJSON source, `size` at a time."""
    with requests.get(url, stream=True, timeout=60) as response:
        response.raise_for_status()
        lines = response.iter_lines(chunk_size=1 << 20)
        while page := [orjson.loads(line) for line in itertools.islice(lines, size)]:
            yield page


def pipeline(job: Job) -> dlt.Pipeline:
    return dlt.pipeline(
        pipeline_name="orders",
        pipelines_dir=str(job.work / "dlt"),
        destination=dlt.destinations.duckdb(job.target),
        dataset_name="loaded",
    )


def run(job: Job) -> None:
    orders = dlt.resource(
        pages(job.url, PAGE),
        name="orders",
        columns=Record,
        primary_key="order_id",
        write_disposition="merge",
    )
    pipeline(job).run(orders)
