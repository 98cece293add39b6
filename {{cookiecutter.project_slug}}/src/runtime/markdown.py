"""A run's summary as a page that a person reads in Prefect's UI."""

from collections.abc import Iterable, Sequence
from datetime import UTC

from ingest.summary import RunSummary
from runtime.chart import chart

# What Markdown or HTML would take for more than a character.
_SPECIAL = str.maketrans({one: f"&#{ord(one)};" for one in "&<>|`*_[]~\\!#:@$\"'"})


def page(summary: RunSummary, last: Sequence[RunSummary]) -> str:
    """The page of one run; `last` are the last runs with this one, the oldest first."""
    parts = [_head(summary), _table(("", ""), summary.facts())]
    if summary.reasons:
        parts += [
            "## Refused, by reason",
            _table(
                ("Reason", "Records"),
                ((reason, f"{count:,}") for reason, count in summary.most_refused()),
            ),
        ]
    if summary.first_refused:
        parts += ["## The first refused records", _refused(summary)]
    parts += [
        "## Rows loaded by the last runs",
        f"```text\n{chart(last, UTC)}\n```",
        "One line a run, the last one lowest; times are UTC.",
    ]
    return "\n\n".join(parts) + "\n"


def _head(summary: RunSummary) -> str:
    if summary.error is None:
        return f"# {summary.rows_loaded:,} rows in {_plain(summary.table)}"
    lines = (_plain(line) for line in summary.error.splitlines())
    return "# Failed\n\n" + "\n".join(f"> {line}  " for line in lines)


def _refused(summary: RunSummary) -> str:
    with_raw = any(one.raw is not None for one in summary.first_refused)
    head = ("Record", "Field", "Reason", "As it came")
    rows = (
        (f"{one.position:,}", one.field or "", one.reason, one.raw or "")
        for one in summary.first_refused
    )
    if with_raw:
        return _table(head, rows)
    return _table(head[:3], (row[:3] for row in rows))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([_plain(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(text: str) -> str:
    """Text that is shown as it is: no markup, no link, no line of its own."""
    return text.replace("\n", " ").translate(_SPECIAL)
