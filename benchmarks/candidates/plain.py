"""The way that needs no framework: requests, json, the model, pandas, DuckDB.

In blocks, so that memory does not grow with the source. Appends; a refused row ends it.
"""

from __future__ import annotations

import itertools
import json

import duckdb
import pandas
import requests
from data_pipeline.contract import Record

from job import Job

BLOCK = 50_000


def run(job: Job) -> None:
    with (
        duckdb.connect(job.target) as connection,
        requests.get(job.url, stream=True, timeout=60) as response,
    ):
        response.raise_for_status()
        lines = response.iter_lines(chunk_size=1 << 20)
        made = False
        while block := list(itertools.islice(lines, BLOCK)):
            rows = [json.loads(line) for line in block]
            records = [Record(**row) for row in rows]
            frame = pandas.DataFrame([record.model_dump() for record in records])
            connection.register("frame", frame)
            into = "INSERT INTO orders" if made else "CREATE TABLE orders AS"
            connection.execute(f"{into} SELECT * FROM frame")
            made = True
