"""How the commands print: one line a fact, a table at the end."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

# Where this is no terminal, a table's cells are not folded, so that a script can read them.
console = Console(
    highlight=False, markup=False, soft_wrap=True, width=None if sys.stdout.isatty() else 200
)


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


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table of what happened; `None` shows as a dash."""
    shown = Table(*columns)
    for row in rows:
        shown.add_row(*("-" if cell is None else str(cell) for cell in row))
    console.print(shown)
