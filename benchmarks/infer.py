"""`make bench-infer`: phase 1 of a project stamped for a CSV that it has never seen.

What a newcomer waits for, the environment's installation left out: the contract is inferred from
340,000 rows, the pipeline runs, and the rows land.
"""

from __future__ import annotations

import argparse
import csv
import random
import subprocess
import time
from datetime import date, datetime, timedelta
from pathlib import Path

from data import CACHE
from measure import scratch_folder
from project import environment, stamp

ROWS = 340_000
LIMIT = 120  # seconds
CATEGORIES = ("Restaurant", "Bakery", "Grocery Store", "School", "Mobile Food", "Hospital")
RESULTS = ("Pass", "Pass w/ Conditions", "Fail", "No Entry", "Out of Business")
STREETS = ("N CLARK ST", "W MADISON ST", "S STATE ST", "E 53RD ST", "N LINCOLN AVE")
HEADER = [
    "Inspection ID",
    "Business Name",
    "License #",
    "Facility Type",
    "Risk",
    "Address",
    "City",
    "Zip",
    "Inspection Date",
    "Received At",
    "Results",
    "Fee",
    "Latitude",
    "Longitude",
    "Follow-up",
    "Violations",
]


def main() -> int:
    """Stamp, run phase 1, print, and end with 1 where it fails or takes too long."""
    parser = argparse.ArgumentParser(description="Phase 1 on a CSV never seen before.")
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of it (default: 340,000)")
    asked = parser.parse_args()
    CACHE.mkdir(exist_ok=True)
    with scratch_folder() as scratch:
        source = scratch / "inspections.csv"
        _write(source, asked.rows)
        project = stamp(scratch, source_url=str(source))
        began = time.perf_counter()
        phase1 = ["sh", str(project / "scripts" / "phase1_execute.sh")]
        code = subprocess.run(phase1, env=environment(scratch / "home")).returncode
        seconds = time.perf_counter() - began
    print(
        f"\nPhase 1 on {asked.rows:,} rows ended with {code} after {seconds:.0f} s; "
        f"aimed at: 0, under {LIMIT} s."
    )
    return 0 if code == 0 and seconds < LIMIT else 1


def _write(path: Path, rows: int) -> None:
    """Inspections as a city publishes them: empty fields that begin late, odd headers, NA."""
    dice = random.Random(340_000)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(_row(number, dice) for number in range(rows))


def _row(number: int, dice: random.Random) -> list[object]:
    day = date(2012, 1, 1) + timedelta(days=number // 90)
    received = datetime(day.year, day.month, day.day, int(dice.random() * 24), 15)
    late = number > 5000  # beyond what a look at the first rows sees
    violations = '32. FOOD AND "NON-FOOD" SURFACES, CLEAN;\nsee comments' * int(dice.random() * 3)
    return [
        2_000_000 + number,
        f"{dice.choice(STREETS).title()} Café No. {int(dice.random() * 9000)}",
        "NA" if late and dice.random() < 0.01 else int(dice.random() * 2_800_000),
        dice.choice(CATEGORIES),
        f"Risk {1 + int(dice.random() * 3)}",
        f"{int(dice.random() * 9000)} {dice.choice(STREETS)}",
        "CHICAGO",
        f"{int(dice.random() * 99_999):05d}",
        day.isoformat(),
        received.isoformat(),
        dice.choice(RESULTS),
        f"{dice.random() * 500:.2f}",
        "" if late and dice.random() < 0.02 else f"{41.6 + dice.random() / 2:.12f}",
        "" if late and dice.random() < 0.02 else f"{-87.9 + dice.random() / 2:.12f}",
        "true" if dice.random() < 0.2 else "false",
        violations,
    ]


if __name__ == "__main__":
    raise SystemExit(main())
