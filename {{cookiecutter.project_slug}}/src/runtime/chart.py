"""The rows of the last runs as a bar chart of plain characters: for Markdown and a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingest.summary import RunSummary

_EIGHTHS = " ▏▎▍▌▋▊▉"


def bar(value: int, greatest: int, width: int = 24, *, plain: bool = False) -> str:
    """A bar as long as `value` is of `greatest`, which is `width` characters.

    A value above 0 is never without a mark. plain: only ASCII, for a terminal without blocks.
    """
    if value <= 0 or greatest <= 0:
        return ""
    eighths = max(1, round(value / greatest * width * 8))
    if plain:
        return "#" * max(1, round(eighths / 8))
    whole, part = divmod(eighths, 8)
    return "█" * whole + (_EIGHTHS[part] if part else "")


def chart(runs: Sequence[RunSummary], zone: tzinfo) -> str:
    """One line a run, in the order given: when it ended, a bar of the rows it loaded, counts."""
    greatest = max((run.rows_loaded for run in runs), default=0)
    digits = len(f"{greatest:,}")
    lines = []
    for run in runs:
        when = f"{run.ended_at.astimezone(zone):%Y-%m-%d %H:%M:%S}"
        said = "failed" if run.error is not None else bar(run.rows_loaded, greatest)
        refused = f"  {run.rows_rejected:,} refused" if run.rows_rejected else ""
        lines.append(f"{when}  {said:<24}  {run.rows_loaded:>{digits},}{refused}")
    return "\n".join(lines)
