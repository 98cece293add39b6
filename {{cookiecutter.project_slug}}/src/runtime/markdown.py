"""A run's summary as a page that a person reads in Prefect's UI."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC

from ingest.summary import RunSummary
from runtime.chart import chart

# What Markdown or HTML would take for more than a character: punctuation and the @ and : of
# links. A backslash is the one way that the UI undoes for all of them.
_SPECIAL = str.maketrans({one: "\\" + one for one in "&<>|`*_[](){}~\\!#:@$+-"})
# The UI breaks no line in a table, and hides what stands to the right of a long one.
_CELL = 52  # characters of a line in a cell: so many wide ones go into a window of 1280 pixels


def page(summary: RunSummary, last: Sequence[RunSummary]) -> str:
    """The page of one run; `last` are the last runs with this one, the oldest first."""
    parts = [
        _head(summary),
        "## Rows loaded by the last runs",
        f"```text\n{chart(last, UTC)}\n```",
        "One line a run, this one last; times are UTC.",
        "## This run",
        _table(("Fact", "Value"), summary.facts()),
    ]
    if summary.reasons:
        parts += [
            "## Refused, by reason",
            _table(
                ("Records", "Reason"),
                ((f"{count:,}", reason) for reason, count in summary.most_refused()),
            ),
        ]
    if summary.first_refused:
        parts += ["## The first refused records", _refused(summary)]
    return "\n\n".join(parts) + "\n"


def _head(summary: RunSummary) -> str:
    if summary.error is None:
        return f"# {summary.rows_loaded:,} rows into {_plain(summary.table)}"
    lines = [_plain(line) for line in summary.error.splitlines()]
    return "# Failed\n\n" + "\n".join(f"> {line}  " for line in lines)


def _refused(summary: RunSummary) -> str:
    rows = []
    for one in summary.first_refused:
        why = f"{one.field}: {one.reason}" if one.field else one.reason
        rows.append((f"{one.position:,}", why, *([] if one.raw is None else [one.raw])))
    head = ("Record", "Field and reason", "As it came")
    return _table(head[: max(map(len, rows))], rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    width = _CELL * 2 // len(head) if len(head) > 2 else _CELL
    lines = [head, ["---"] * len(head), *([_cell(text, width) for text in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str, width: int) -> str:
    # Behind a space or, since JSON often has none, a comma; within a word only if it is longer.
    broken = r".{1,MOST}(?:(?<=[ ,])|$)|.{MOST}".replace("MOST", str(width))
    lines = re.findall(broken, " ".join(text.split()))
    return "<br>".join(_plain(line.strip()) for line in lines)


def _plain(text: str) -> str:
    """Text that is shown as it is: no markup, no link, no line of its own."""
    return text.replace("\n", " ").translate(_SPECIAL)
