"""`make bench-orchestration`: what Prefect adds to a run: tasks, states, logs, artifacts.

A project is stamped and its server started; one process then runs the flow, and the same four
steps without Prefect, in turns, after its imports. The disk makes single runs some seconds
slower, and the end of a flow is up to a second late (its heartbeat's thread sleeps that long);
so it takes several rounds, and their medians.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
from pathlib import Path
from statistics import median

from data import CACHE, dataset
from job import Job
from measure import HERE, scratch_folder, served
from project import environment, python, stamp

ROWS, ROUNDS = 10_000_000, 7
LIMIT = 0.05


def main() -> int:
    """Measure, print, and end with 1 where the limit is not kept."""
    parser = argparse.ArgumentParser(description="What Prefect adds to a run.")
    parser.add_argument("--rows", type=int, default=ROWS, help="orders to load (default: 10 M)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="runs of each (default: 7)")
    asked = parser.parse_args()
    source = dataset(asked.rows, "orders.ndjson")
    with scratch_folder() as scratch, served(CACHE) as address:
        project = stamp(scratch, prefect_api_url=f"http://127.0.0.1:{_free_port()}/api")
        job = Job(
            url=f"{address}/{source.relative_to(CACHE)}",
            file=source,
            file_format="ndjson",
            target=str(scratch / "warm-up.duckdb"),
            work=scratch,
            project=project,
        )
        seconds = _alternate(project, scratch / "home", job, asked.rounds)
    flow, engine = median(seconds["flow"]), median(seconds["engine"])
    share = (flow - engine) / flow
    print(f"\nwith Prefect:    {_shown(seconds['flow'])}")
    print(f"without Prefect: {_shown(seconds['engine'])}")
    print(
        f"Prefect takes {share:.1%} of a run of {asked.rows:,} rows; aimed at: under {LIMIT:.0%}."
    )
    return 0 if share < LIMIT else 1


def _shown(seconds: list[float]) -> str:
    return f"median {median(seconds):.2f} s of {', '.join(f'{one:.2f}' for one in seconds)}"


def _alternate(project: Path, home: Path, job: Job, rounds: int) -> dict[str, list[float]]:
    """The seconds of each way, from a process of the project with its server up."""
    around = environment(home)
    blueprint = str(project / ".venv" / "bin" / "blueprint")
    try:
        subprocess.run([blueprint, "up"], env=around, cwd=project, check=True)
        child = [str(python(project)), str(HERE / "orchestration_child.py")]
        subprocess.run([*child, job.dump(), str(rounds)], env=around, cwd=project, check=True)
    finally:
        subprocess.run([blueprint, "down"], env=around, cwd=project)
    return json.loads((job.work / "result.json").read_text("utf-8"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    raise SystemExit(main())
