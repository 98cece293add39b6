"""What a person sees of a fleet at work: a bar while it runs, a table at the end; or JSON."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from fleets.wishes import Outcome

# Progress and notes go beside the table or the JSON, which a program may read.
_beside = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
# Where this is no terminal, a table's cells are not folded, so that a script can read them.
_out = Console(
    highlight=False, markup=False, soft_wrap=True, width=None if sys.stdout.isatty() else 240
)


def note(text: str) -> None:
    """What a person should know, and no program reads."""
    _beside.print(text)


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[str, str], None]]:
    """A bar that moves by one with each name and state; without a terminal, a line for each."""
    done = 0

    def line(name: str, state: str) -> None:
        nonlocal done
        done += 1
        _beside.print(f"{done:>{len(str(total))}}/{total} {name}: {state}")

    if not _beside.is_terminal:
        yield line
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    told: Counter[str] = Counter()
    with Progress(*columns, TimeElapsedColumn(), console=_beside) as bar:
        task = bar.add_task(what, total=total)

        def step(name: str, state: str) -> None:
            told[state] += 1
            bar.update(task, advance=1, description=f"{what} ({_counted(told)})")

        yield step


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], states: Sequence[str]) -> None:
    """The table of what became of each, and how many are in which state."""
    # A path is folded where it is too long: cut short it could not be opened.
    shown = Table(*(Column(name, overflow="fold") for name in columns))
    for row in rows:
        shown.add_row(*(str(cell) for cell in row))
    _out.print(shown)
    _out.print(_counted(Counter(states)))


def outcomes(done: Sequence[Outcome]) -> None:
    """What became of each repository; below the table what did not fit into it."""
    columns = ("repository", "state", "template", "branch", "seconds", "why")
    rows = []
    for one in done:
        version = one.was if one.was == one.now else f"{one.was} -> {one.now}"
        branch = f"{one.branch}{' (pushed)' if one.pushed else ''}"
        why = one.why.splitlines()[0] if one.why else ", ".join(file["path"] for file in one.files)
        rows.append((one.name, one.state, version, branch, f"{one.seconds:.0f}", why))
    table(columns, rows, [one.state for one in done])
    for one in done:
        _more(one)
    if kept := [one for one in done if one.branch and not one.pushed and one.state == "updated"]:
        _out.print(
            f"\n{len(kept)} of the branches are not pushed: the same command with --push does that."
            f"\nTo look at one: git -C {kept[0].clone} show {kept[0].branch}"
        )


def _more(one: Outcome) -> None:
    lines = [f"conflict in {file['path']}: {file['why']}" for file in one.files]
    lines += [f"deleted, as in the template: {path}" for path in one.deleted]
    lines += one.notes
    if one.state == "failed":
        lines += [*one.why.splitlines(), f"log: {one.log}"]
    if lines:
        _out.print(f"\n{one.name} ({one.address})", style="bold")
        for line in lines:
            _out.print(f"  {line}")


def data(what: Any) -> None:
    """JSON for a program."""
    sys.stdout.write(json.dumps(what, indent=2, ensure_ascii=False) + "\n")


def _counted(states: Counter[str]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
