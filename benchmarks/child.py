"""One load by one candidate, in a process of its own: `python child.py <candidate> <job>`.

It imports, says "ready", waits for a line, loads, and writes the seconds and the rows that the
target then holds. So neither starting Python nor importing is in the time.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path

from job import Job


def main() -> None:
    name, job = sys.argv[1], Job.parse(sys.argv[2])
    sys.path.append(str(job.project / "src"))
    candidate = importlib.import_module(f"candidates.{name}")
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.perf_counter()
    found = candidate.run(job)
    seconds = time.perf_counter() - began
    # The parent has stopped looking at the memory once it reads this.
    print("done", flush=True)
    rows = _rows(job.target) if found is None else found
    result = {"seconds": seconds, "rows": rows}
    Path(job.work, "result.json").write_text(json.dumps(result), "utf-8")


def _rows(target: str) -> int:
    """Count what lies in the target's table `orders`, whatever the candidate says of it."""
    if target.startswith("postgres"):
        import psycopg

        with psycopg.connect(target) as connection:
            return connection.execute("SELECT count(*) FROM orders").fetchone()[0]
    import duckdb

    with duckdb.connect(target, read_only=True) as connection:
        schemas = connection.execute(
            "SELECT DISTINCT table_schema FROM information_schema.tables "
            "WHERE table_name = 'orders' AND table_schema NOT LIKE '%_staging'"
        ).fetchall()
        (schema,) = schemas[0]
        return connection.execute(f"SELECT count(*) FROM {schema}.orders").fetchone()[0]


if __name__ == "__main__":
    main()
