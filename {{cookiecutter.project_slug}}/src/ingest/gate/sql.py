"""The gate's SQL for text: what must hold of a record's values, and how they become columns."""

from __future__ import annotations

import itertools
import json
import secrets
from collections.abc import Iterator
from pathlib import Path

from ingest.duck import file_literal, literal, quote
from ingest.gate.nodes import ANY_CELL, Field, Fields, Leaf, Many, Named, Node, Unknown
from ingest.gate.shapes import Line


def structure(columns: dict[str, str]) -> str:
    """The columns as json_transform takes them."""
    return literal(json.dumps(columns, ensure_ascii=False))


# No text is this one, so null is only what a short row lacks.
NOTHING = secrets.token_hex(16)
# The lines of the parameter $data, whatever they hold.
SPLIT = "(SELECT unnest(string_split(decode($data), chr(10))) AS line)"


def lines_of(path: Path) -> str:
    """The lines of a file, several times as fast as SPLIT, and equal to it where the file has
    no empty line, no carriage return, no byte 1 and no byte order mark. A line over 1 MB is
    an error.
    """
    return (
        f"read_csv({file_literal(path)}, hive_partitioning = false, auto_detect = false, "
        "header = false, delim = '\x01', quote = '', escape = '', columns = {'line': 'VARCHAR'}, parallel = false, "
        f"strict_mode = false, null_padding = true, nullstr = '{NOTHING}', "
        "new_line = '\\n', max_line_size = 1000000, buffer_size = 4000000)"
    )


def from_json(record: Fields, columns: dict[str, str], line: Line, lines: str) -> str:
    """A SELECT over the column `line` of `lines`: `_position`, `_raw`, the columns.

    `_raw` is null where Pydantic would accept the record, and the columns then hold its
    values; else it is the line. `_position` counts lines from $base; lines of spaces are
    left out.
    """
    checks = " AND ".join(["r IS NOT NULL", *_checks(record, "r", itertools.count())])
    fields = "".join(f", r.{quote(name)} AS {quote(name)}" for name in columns)
    matches, cut = _matched(line, lines)
    return (
        f"SELECT {_marks('line', checks)}{fields} FROM (SELECT number, line, "
        f"CASE WHEN {matches} THEN json_transform(line, {structure(columns)}) END AS r "
        # The window keeps DuckDB from cutting a line anew for each piece that it looks at.
        f"FROM (SELECT *, row_number() OVER () - 1 AS number FROM ({cut})) "
        # Most lines need not be looked at for being empty.
        "WHERE prefix(line, '{') OR NOT regexp_full_match(line, '[ \\t\\r]*'))"
    )


def _matched(line: Line, lines: str) -> tuple[str, str]:
    """The condition that a line is such a one, and the SELECT of what that asks for.

    A line that holds what stands between two pieces more than once is none.
    """
    cut, rest, pieces, conditions = f"SELECT line FROM {lines}", "line", [], []
    for place, text in enumerate(line.between):
        cut = f"SELECT *, string_split({rest}, {literal(text)}) AS c{place} FROM ({cut})"
        conditions.append(f"len(c{place}) = 2")
        pieces.append(f"c{place}[1]")
        rest = f"c{place}[2]"
    for piece, pattern in zip([*pieces, rest], line.patterns, strict=True):
        conditions.append(f"regexp_full_match({piece}, {literal(pattern)})")
    return " AND ".join(conditions), cut


def _marks(line: str, checks: str) -> str:
    return f"$base + number AS _position, CASE WHEN {checks} THEN NULL ELSE {line} END AS _raw"


def _checks(node: Node, value: str, names: Iterator[int]) -> Iterator[str]:
    """What must hold of a value that has matched its pattern; of null, nothing."""
    if isinstance(node, Fields):
        for field in node.fields:
            yield from _checks(field.node, f"{value}.{quote(field.key)}", names)
    elif isinstance(node, Many):
        yield from (f"coalesce({check(value)}, TRUE)" for check in node.checks)
        item = f"x{next(names)}"
        if inner := list(_checks(node.item, item, names)):
            wrong = f"list_filter({value}, lambda {item}: NOT ({' AND '.join(inner)}))"
            yield f"coalesce(len({wrong}) = 0, TRUE)"
    elif isinstance(node, Named):
        keys = f"map_keys({value})"
        yield f"coalesce(len({keys}) = len(list_distinct({keys})), TRUE)"
    else:
        yield from (f"coalesce({check(value)}, TRUE)" for check in node.checks)


def from_csv(record: Fields, columns: dict[str, str], header: list[str], table: str) -> str:
    """A SELECT over a table of CSV's cells, c0 and on, all of them text: see from_json.

    `_raw` is the list of the cells, as JSON; `table` has one column more than the header. Raises Unknown for a contract that no cells can keep.
    """
    cells = {name: f"nullif(c{place}, '')" for place, name in enumerate(header)}
    last = f"c{len(header)}"
    # The row has as many cells as the header: one more column is read, and stays null.
    checks = [f"c{len(header) - 1} IS NOT NULL", f"{last} IS NULL"]
    known = {field.key for field in record.fields}
    if record.closed:
        checks += [f"{cell} IS NULL" for name, cell in cells.items() if name not in known]
    fields = []
    for field in record.fields:
        cell = cells.get(field.key, "NULL::VARCHAR")
        checks += _cell_checks(field, cell)
        fields.append(f", {_cell(field.node, cell, columns[field.key])} AS {quote(field.key)}")
    every = ", ".join(f"c{place}" for place in range(len(header) + 1))
    return (
        f"SELECT {_marks(f'to_json([{every}])::VARCHAR', ' AND '.join(checks))}{''.join(fields)} "
        f"FROM (SELECT *, row_number() OVER () - 1 AS number FROM {table})"
    )


def _cell_checks(field: Field, cell: str) -> Iterator[str]:
    node = field.node
    if not isinstance(node, Leaf) or node.csv is None:
        if not field.optional:
            raise Unknown(f"{field.key}: a type that no text in a CSV can have")
        yield f"{cell} IS NULL"
        return
    absent = f"{cell} IS NULL OR " if field.optional else ""
    if node.csv == ANY_CELL:
        if not absent:
            yield f"{cell} IS NOT NULL"
    else:
        yield f"({absent}coalesce(regexp_full_match({cell}, {literal(node.csv)}), FALSE))"
    yield from (f"coalesce({check(_typed(node, cell))}, TRUE)" for check in node.checks)


def _typed(node: Leaf, cell: str) -> str:
    kinds = {"float": "DOUBLE"}
    if node.kind.startswith("decimal"):
        kinds[node.kind] = f"DECIMAL(38, {node.kind.split()[1]})"
    return f"TRY_CAST({cell} AS {kinds[node.kind]})" if node.kind in kinds else cell


def _cell(node: Node, cell: str, kind: str) -> str:
    if not isinstance(node, Leaf) or node.csv is None:
        return f"NULL::{kind}"
    if kind == "JSON":
        return f"to_json({cell})"
    if node.na:
        cell = f"nullif({cell}, 'NA')"
    return cell if kind == "VARCHAR" else f"TRY_CAST({cell} AS {kind})"
