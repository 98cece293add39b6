"""The way that needs no framework: requests, json, the model, pandas, DuckDB.

In blocks of the size that was fastest, so that memory does not grow with the source. Appends; a
refused row ends it.
"""

from __future__ import annotations

import itertools
import json

import duckdb
import pandas
import requests
from data_pipeline.contract import Record

from job import Job
from shapes import COLUMNS

BLOCK = 5000


def run(job: Job) -> None:
    with (
        duckdb.connect(job.target) as connection,
        requests.get(job.url, stream=True, timeout=60) as response,
    ):
        response.raise_for_status()
        lines = response.iter_lines(chunk_size=1 << 20)
        columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        connection.execute(f"CREATE TABLE orders ({columns})")
        while block := list(itertools.islice(lines, BLOCK)):
            rows = [json.loads(line) for line in block]
            records = [Record(**row) for row in rows]
            frame = pandas.DataFrame([record.model_dump() for record in records])
            connection.register("frame", frame)
            connection.execute("INSERT INTO orders BY NAME SELECT * FROM frame")
