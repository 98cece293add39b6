"""dlt fed Arrow: pyarrow parses the lines, nothing is checked, rows are appended."""

from __future__ import annotations

import os

os.environ.update({"LOAD__WORKERS": str(os.cpu_count()), "RUNTIME__LOG_LEVEL": "CRITICAL"})

import dlt  # noqa: E402
import pyarrow  # noqa: E402
import pyarrow.json  # noqa: E402
import requests  # noqa: E402

from candidates.dlt_default import pipeline  # noqa: E402
from job import Job  # noqa: E402

BLOCK = 8 << 20  # bytes of text that are parsed at once


def run(job: Job) -> None:
    with requests.get(job.url, stream=True, timeout=60) as response:
        response.raise_for_status()
        options = pyarrow.json.ReadOptions(block_size=BLOCK)
        batches = pyarrow.json.open_json(
            pyarrow.PythonFile(response.raw, mode="r"), read_options=options
        )
        orders = dlt.resource(batches, name="orders", write_disposition="append")
        pipeline(job).run(orders, loader_file_format="parquet")
