"""A limit: DuckDB's own load of the fetched file, its schema given and nothing checked."""

from __future__ import annotations

import duckdb

from job import Job
from shapes import COLUMNS, FLAT_COLUMNS


def run(job: Job) -> None:
    source = {
        "ndjson": f"read_json('{job.file}', format = 'newline_delimited', columns = {COLUMNS})",
        "json": f"read_json('{job.file}', format = 'array', columns = {COLUMNS})",
        "csv": f"read_csv('{job.file}', header = true, columns = {FLAT_COLUMNS})",
        "parquet": f"read_parquet('{job.file}')",
    }[job.file_format]
    with duckdb.connect(job.target) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"CREATE TABLE orders AS FROM {source}")
