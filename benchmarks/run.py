"""`make bench`: who loads how many orders per second, side by side, in one run.

Every load is a new process that has imported what it needs before its time begins. The rounds are
interleaved, so that what else the machine does meets everybody.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

import table
from bench import Bench, prepared
from data import dataset
from entries import ENTRIES, TARGETS, Entry
from measure import Failed, Measured

ROWS = 1_000_000
# Who makes fewer rows per second than this loads fewer of them, or a run would take hours.
SLOW, SLOW_ROWS = 30_000, 100_000
ROUNDS = 3


def main() -> int:
    """Measure, print, and write the README's table after a full run; 1 where a load failed."""
    asked = _arguments()
    entries = [entry for entry in ENTRIES if not asked.only or entry.key in asked.only]
    rounds = 1 if asked.quick else asked.rounds
    with prepared() as bench:
        if asked.quick:
            rows = {entry.key: asked.rows for entry in entries}
        else:
            rows = _rows_for_each(bench, entries, asked.rows)
        measured, failed = _measure(bench, entries, rows, rounds)
    results = {
        entry.key: _result(entry, rows[entry.key], measured[entry.key])
        for entry in entries
        if measured[entry.key] and entry.key not in failed
    }
    parts = (table.speeds(entries, results), table.ratios(TARGETS, results))
    text = "\n\n".join((*parts, table.conditions(rounds)))
    print(f"\n{text}")
    for key, why in failed.items():
        print(f"\n{key} FAILED: {why}")
    if not failed and not asked.only and not asked.quick and asked.rows >= ROWS:
        table.write_readme(text)
        print("\nREADME.md shows these tables now.")
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Who loads how many orders per second.")
    parser.add_argument("--rows", type=int, default=ROWS, help="orders to load (default: 1 M)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="loads of each (default: 3)")
    parser.add_argument(
        "--only",
        type=lambda text: text.split(","),
        default=(),
        help=f"some of them, with commas between: {', '.join(entry.key for entry in ENTRIES)}",
    )
    parser.add_argument(
        "--quick", action="store_true", help="one round and no warm-up: does everything run?"
    )
    asked = parser.parse_args()
    if unknown := set(asked.only) - {entry.key for entry in ENTRIES}:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    if asked.rows < 1 or asked.rounds < 1:
        parser.error("rows and rounds are at least 1")
    return asked


def _rows_for_each(bench: Bench, entries: Sequence[Entry], rows: int) -> dict[str, int]:
    """Let each load a few rows once, which also compiles its modules, and see who is slow."""
    few = min(rows, SLOW_ROWS)

    def suited(entry: Entry) -> int:
        try:
            slow = few / bench.load(entry, few).seconds < SLOW
        except Failed:
            return few  # it fails again in its round, and is reported there
        return few if slow else rows

    print(f"Warm-up with {few:,} rows each", flush=True)
    return {entry.key: suited(entry) for entry in entries}


def _measure(
    bench: Bench, entries: Sequence[Entry], rows: dict[str, int], rounds: int
) -> tuple[dict[str, list[Measured]], dict[str, str]]:
    """All rounds: what each entry made of them, and why some failed."""
    measured: dict[str, list[Measured]] = {entry.key: [] for entry in entries}
    failed: dict[str, str] = {}
    for entry in entries:
        dataset(rows[entry.key], entry.source)
    os.sync()
    for number in range(1, rounds + 1):
        for entry in entries:
            if entry.key in failed:
                continue
            try:
                one = bench.load(entry, rows[entry.key])
            except Failed as error:
                failed[entry.key] = str(error)
                print(f"round {number}: {entry.key:18} failed", flush=True)
                continue
            measured[entry.key].append(one)
            print(
                f"round {number}: {entry.key:18} {rows[entry.key] / one.seconds:>11,.0f} rows/s "
                f"{one.peak / 1e6:>6,.0f} MB",
                flush=True,
            )
    return measured, failed


def _result(entry: Entry, rows: int, rounds: Sequence[Measured]) -> table.Result:
    return table.Result.of(rows, dataset(rows, entry.source).stat().st_size, rounds)


if __name__ == "__main__":
    raise SystemExit(main())
