"""The results as text: what is printed, and what the README shows."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from statistics import median

from entries import Entry, Target
from measure import Measured

README = Path(__file__).resolve().parents[1] / "README.md"
BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
VERSIONS = ("dlt", "duckdb", "pandas", "pydantic")


@dataclass(frozen=True)
class Result:
    """The medians of an entry's rounds: rows and bytes per second, and bytes of memory."""

    rows: int
    rows_per_second: float
    bytes_per_second: float
    peak: float

    @staticmethod
    def of(rows: int, size: int, rounds: Sequence[Measured]) -> Result:
        seconds = median(one.seconds for one in rounds)
        return Result(rows, rows / seconds, size / seconds, median(one.peak for one in rounds))


def speeds(entries: Iterable[Entry], results: Mapping[str, Result]) -> str:
    """A line for each entry that has a result."""
    ours = results.get("blueprint")
    lines = [
        "| who loads the orders | rows | rows/s | MB/s | peak memory | this pipeline is |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for entry in entries:
        if found := results.get(entry.key):
            ratio = ""
            if ours and not entry.ours and entry.source == "orders.ndjson":
                ratio = f"{_ratio(ours.rows_per_second / found.rows_per_second)} x"
            lines.append(
                f"| {entry.label} | {found.rows:,} | {found.rows_per_second:,.0f} | "
                f"{found.bytes_per_second / 1e6:,.0f} | {found.peak / 1e6:,.0f} MB | {ratio} |"
            )
    return "\n".join(lines)


def ratios(targets: Iterable[Target], results: Mapping[str, Result]) -> str:
    """A line for each target whose two sides have a result."""
    lines = [
        "| rows per second against | aimed at | reached | |",
        "| --- | ---: | ---: | --- |",
    ]
    for target in targets:
        if target.key in results and target.base in results:
            reached = results[target.key].rows_per_second / results[target.base].rows_per_second
            verdict = "yes" if reached >= target.ratio else "missed"
            lines.append(
                f"| {target.label} | {target.ratio:g} x | {_ratio(reached)} x | {verdict} |"
            )
    return "\n".join(lines)


def conditions(rounds: int) -> str:
    """Where and with what this was measured."""
    medians = f"medians of {rounds} interleaved rounds" if rounds > 1 else "one round"
    packages = ", ".join(f"{name} {version(name)}" for name in VERSIONS)
    return (
        f"Measured on {date.today()} with {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, {packages}; {medians}."
    )


def write_readme(text: str) -> None:
    """Put `text` between the README's two markers; the rest of it stays as it is."""
    before, begin, rest = README.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"README.md lacks the markers {BEGIN} and {END}, so it is as it was.")
    README.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", "utf-8")


def _ratio(value: float) -> str:
    return f"{value:.1f}" if value >= 2 else f"{value:.2f}"
