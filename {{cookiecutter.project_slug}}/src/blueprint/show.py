"""How the commands print: one line a fact, a table at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Column, Table

from ingest.say import Line
from runtime.chart import bar

if TYPE_CHECKING:
    from ingest.summary import RunSummary

_OFTEN = 5.0  # seconds between two lines of progress
# Where this is no terminal, a table's cells are not folded, so that a script can read them.
console = Console(
    highlight=False, markup=False, soft_wrap=True, width=None if sys.stdout.isatty() else 200
)


def quiet(so: bool) -> None:
    """Print nothing of what follows: a reader wants the JSON alone."""
    console.quiet = so


def heading(text: str) -> None:
    """A phase or a command begins."""
    console.print(f"\n{text}", style="bold")


def ok(text: str) -> None:
    """Something is as it should be."""
    console.print(f"  ok    {text}")


def doing(text: str) -> None:
    """Something that takes a while has begun or goes on."""
    console.print(f"  ...   {text}")


def warn(text: str) -> None:
    """Something works, and yet a person should know."""
    console.print(f"  note  {text}")


def data(text: str) -> None:
    """JSON for a program: as it is, on a stream that no log writes to."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def wrong(text: str, mend: str) -> None:
    """Something is wrong, and the command that mends it."""
    console.print(f"  wrong {_indented(text)}\n        Mend it: {mend}")


def line(state: str, text: str) -> None:
    """A fact with its state in front: done, pending, next."""
    console.print(f"  {state:<8}{text}")


def _indented(text: str) -> str:
    return text.replace("\n", "\n        ")


def said(text: str) -> None:
    """A line of a run's own log."""
    console.print(f"        {text}", style="dim")


class Progress:
    """A `Say` that prints where a long step is, now and then."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, text: str, done: float | None = None) -> None:
        if isinstance(text, Line) or time.monotonic() - self._last >= _OFTEN:
            self._last = time.monotonic()
            doing(text)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table of what happened; `None` shows as a dash."""
    # A path is folded where it is too long: cut short it could not be opened.
    shown = Table(*(Column(name, overflow="fold") for name in columns))
    for row in rows:
        shown.add_row(*("-" if cell is None else str(cell) for cell in row))
    console.print(shown)


def summary(one: RunSummary) -> None:
    """What a run did: its facts, and why records were refused."""
    table(("what", "value"), one.facts())
    if one.reasons:
        table(("refused because", "records"), one.most_refused())


Counts = tuple[int, int, int]
"""What a run read, refused and loaded."""


def runs(recent: Sequence[tuple[str, str, datetime | None, Counts | None]]) -> None:
    """The last runs: name, state, when they began, their counts; a bar of what each has loaded."""
    greatest = max((counts[2] for *_, counts in recent if counts), default=0)
    plain = not console.encoding.lower().startswith("utf")
    columns = ("run", "state", "began", "read", "refused", "loaded", "")
    rows = [
        (name, state, clock(began), *_shown(counts, greatest, plain))
        for name, state, began, counts in recent
    ]
    table(columns, rows)


def clock(moment: datetime | None) -> str | None:
    """A moment in this machine's timezone."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}" if moment else None


def _shown(counts: Counts | None, greatest: int, plain: bool) -> tuple[str | None, ...]:
    if counts is None:
        return None, None, None, ""
    shown = bar(counts[2], greatest, 20, plain=plain)
    return (*(f"{count:,}" for count in counts), shown)
