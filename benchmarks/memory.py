"""`make bench-memory`: the peak of ten times the rows stays within 1.2 times the peak.

Of a first load, and of the same source once more, which is merged into its rows by the key.
"""

from __future__ import annotations

import argparse

from bench import prepared
from entries import ENTRIES
from measure import Measured, scratch_folder

ROWS, TIMES = 1_000_000, 10
LIMIT = 1.2


def main() -> int:
    """Measure both, twice, print, and end with 1 where the limit is not kept."""
    parser = argparse.ArgumentParser(description="Peak memory of many rows against few.")
    parser.add_argument("--rows", type=int, default=ROWS, help="the few (default: 1 M)")
    parser.add_argument("--times", type=int, default=TIMES, help="how many times as many: 10")
    asked = parser.parse_args()
    ours = next(entry for entry in ENTRIES if entry.key == "blueprint")
    ratios = []
    with prepared() as bench, scratch_folder() as folder:
        few, many = asked.rows, asked.rows * asked.times
        bench.load(ours, min(few, 100_000))  # compiles its modules
        for what in ("Into a new table", "The same rows again"):
            small, large = (bench.load(ours, rows, f"{folder}/{rows}.db") for rows in (few, many))
            ratios.append(large.peak / small.peak)
            print(f"\n{what}:\n{_line(few, small)}\n{_line(many, large)}")
            print(f"Peak memory grows {ratios[-1]:.2f} x; aimed at: at most {LIMIT} x.")
    return 0 if max(ratios) <= LIMIT else 1


def _line(rows: int, one: Measured) -> str:
    return f"{rows:>12,} rows: {one.peak / 1e6:,.0f} MB, {rows / one.seconds:,.0f} rows/s"


if __name__ == "__main__":
    raise SystemExit(main())
