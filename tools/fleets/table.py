"""A table of answers, one row a project: read, checked whole, and completed by the defaults."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from cookiecutter.exceptions import CookiecutterException

from fleets import Problem
from fleets.answers import Answers, Questions

_DELIMITERS = ",;\t"
_SWITCH = {"true": True, "false": False}
_IDENTITY = ("project_name", "project_slug", "prefect_api_url")
"""By these two projects would meet."""


@dataclass(frozen=True)
class Row:
    """A project to be stamped: where it stands in the table, and all its answers.

    number: as a spreadsheet counts, with the header as 1; in YAML the place in the list.
    """

    number: int
    answers: Answers

    @property
    def slug(self) -> str:
        return self.answers["project_slug"]


@dataclass(frozen=True)
class Fault:
    """What is wrong in a row; key: the question whose rule says so, or empty."""

    number: int
    what: str
    key: str = ""


def read(path: Path) -> list[tuple[int, Answers]]:
    """The rows of a CSV or YAML file, with their numbers, as they stand there.

    Raises:
        Problem: it cannot be read, or is no table.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"The table {path} cannot be read: {error}.") from None
    if path.suffix.lower() in (".yaml", ".yml"):
        rows = _yaml(path, text)
    elif path.suffix.lower() == ".csv":
        rows = _csv(path, text)
    else:
        raise Problem(f"The table {path} must end in .csv, .yaml or .yml.")
    if not rows:
        raise Problem(f"The table {path} has no row.")
    return rows


def check(
    rows: Iterable[tuple[int, Answers]], questions: Questions
) -> tuple[list[Row], list[Fault]]:
    """All rows with all their answers, and all that is wrong with them, in the rows' order.

    An empty cell is no answer: the default holds, save that `create_venv` is false here.
    """
    known: list[Row] = []
    faults: list[Fault] = []
    strangers: dict[str, int] = {}
    for number, cells in rows:
        for key in cells:
            if key not in questions.keys:
                strangers.setdefault(key, number)
        given = _given(cells, questions)
        wrong = _wrong(given, questions)
        faults += [
            Fault(number, f"{key} is {cells[key]!r}: {what}", key) for key, what in wrong.items()
        ]
        right = {key: value for key, value in given.items() if key not in wrong}
        answers, made = _completed(number, right, questions)
        faults += made
        if not (made or set(_IDENTITY) & set(wrong)):
            known.append(Row(number, answers))
    faults += _twice(known)
    asked = ", ".join(questions.keys)
    faults += [
        Fault(number, f"{key!r} is no question of the template, which asks: {asked}")
        for key, number in strangers.items()
    ]
    return known, sorted(faults, key=lambda one: one.number)


def _csv(path: Path, text: str) -> list[tuple[int, Answers]]:
    # A spreadsheet of a country with decimal commas writes semicolons.
    first = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True
    )
    try:
        header, *rows = list(reader) or [[]]
    except csv.Error as error:
        raise Problem(f"The table {path}, line {reader.line_num}, is not CSV: {error}.") from None
    header = [name.strip() for name in header]
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice or not all(header):
        raise Problem(
            f"The table {path} must name each column once: {', '.join(twice) or 'one is empty'}."
        )
    numbered = [(number, cells) for number, cells in enumerate(rows, start=2) if any(cells)]
    uneven = [number for number, cells in numbered if len(cells) != len(header)]
    if uneven:
        raise Problem(
            f"The table {path} has {len(header)} columns, and not so many cells in "
            f"{_rows(uneven)}. A cell with a {delimiter!r} in it stands in double quotes."
        )
    return [(number, dict(zip(header, cells, strict=True))) for number, cells in numbered]


def _yaml(path: Path, text: str) -> list[tuple[int, Answers]]:
    try:
        rows = yaml.load(text, _EachKeyOnce)
    except yaml.YAMLError as error:
        raise Problem(f"The table {path} is not YAML: {error}") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Problem(
            f"The table {path} must be a list, one project an entry:\n"
            "    - project_name: Orders\n      timezone: Europe/Berlin"
        )
    return list(enumerate(rows, start=1))


class _EachKeyOnce(yaml.SafeLoader):
    """YAML's loader takes the last of two equal keys without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = [key.value for key, _ in node.value]
        for key, _ in node.value:
            if seen.count(key.value) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key.value!r} stands there twice", key.start_mark
                )
        return super().construct_mapping(node, deep)


def _wrong(given: Answers, questions: Questions) -> dict[str, str]:
    """What is wrong with the cells as they stand, by question."""
    numbers = {
        key: "no text: write it in quotes"
        for key, value in given.items()
        if key not in questions.switches and not isinstance(value, str)
    }
    texts = {key: value for key, value in given.items() if key not in numbers}
    return numbers | questions.faults(texts)


def _given(cells: Answers, questions: Questions) -> Answers:
    """What a row answers, `true` and `false` as such; empty cells and strangers left out."""
    given = {key: cells[key] for key in questions.keys if cells.get(key) not in (None, "")}
    for key in questions.switches:
        if isinstance(given.get(key), str):
            given[key] = _SWITCH.get(given[key].lower(), given[key])
    return {"create_venv": False} | given


def _completed(number: int, given: Answers, questions: Questions) -> tuple[Answers, list[Fault]]:
    try:
        answers = questions.complete(given)
    except (CookiecutterException, ValueError) as error:
        return {}, [Fault(number, f"cookiecutter cannot take it: {error}")]
    faults = [
        Fault(number, f"{key} is {answers[key]!r}, made from the other answers: {fault}", key)
        for key, fault in questions.faults(answers).items()
    ]
    return answers, faults


def _twice(rows: list[Row]) -> Iterable[Fault]:
    """Rows that would meet: in one folder, or on one server under one flow's name."""
    # macOS and Windows hold no two folders whose names differ in case alone.
    yield from _meeting(rows, lambda row: row.slug.casefold(), "the project_slug {project_slug!r}")
    yield from _meeting(
        rows,
        lambda row: (row.answers["project_name"], row.answers["prefect_api_url"].rstrip("/")),
        "the project_name {project_name!r} at the same prefect_api_url, where Prefect tells "
        "projects apart by it,",
    )


def _meeting(rows: list[Row], key: Any, what: str) -> Iterable[Fault]:
    first: dict[Any, Row] = {}
    for row in rows:
        before = first.setdefault(key(row), row)
        if before is not row:
            yield Fault(row.number, f"{what.format(**row.answers)} is row {before.number}'s too")


def _rows(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:20])) + (", ..." if len(numbers) > 20 else "")
    return f"row{'s' * (len(numbers) > 1)} {shown}"
