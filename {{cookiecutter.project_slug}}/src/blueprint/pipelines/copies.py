"""A pipeline as the template ships it: what `blueprint add-pipeline` copies, and knows again.

The files in `shipped` are those of the first pipeline before anybody has edited it, and its test
of the contract; a test of the template's keeps them so. The test of a flow is there alone.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from blueprint.pipelines.which import FIRST, PARTS
from ingest.inference import fingerprint

_SHIPPED = Path(__file__).parent / "shipped"
_TESTS = ("contract", "flow")
_OWN = ("ingest", "runtime", "blueprint")
"""The rooms that a pipeline's code imports from, beside itself."""
_TABLE = re.compile(r'^TABLE = "([^"\\]*)"$', re.MULTILINE)

PASS_THROUGH = '''\
"""What changes between the source and the table. Yours to edit."""

from __future__ import annotations

import duckdb


def transform(records: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """Turn accepted records into the rows that are loaded; here, as they are.

    `records` has one column for each field of the contract. Return a relation with the
    columns of KEY in it, each key once. Relations have project, filter, join and aggregate;
    what is given them is DuckDB's SQL.
    """
    return records
'''


def shipped(name: str) -> str:
    """One of the first pipeline's files as it was shipped, as `contract` or `test_contract`."""
    return (_SHIPPED / f"{name}.py.txt").read_text("utf-8")


def code(package: str, flow_name: str, table: str) -> dict[str, str]:
    """The modules of a new pipeline, by name; the contract and the transform are the sample's.

    Its refused records go to a folder of its own, quarantine/<package>.
    """
    made = {name: _renamed(shipped(name), package) for name in ("__init__", *PARTS)}
    made["flow"] = _put(made["flow"], f'    name="{package}",', f'    name="{flow_name}",')
    made["contract"] = _put(made["contract"], 'TABLE = "orders"', f'TABLE = "{table}"')
    folder = 'DEFAULT_QUARANTINE = "quarantine'
    made["config"] = _put(made["config"], f'{folder}"', f'{folder}/{package}"')
    return made


def tests(package: str) -> dict[str, str]:
    """The tests of a new pipeline, by the names of their files."""
    return {
        f"test_{package}_{name}.py": _renamed(shipped(f"test_{name}"), package) for name in _TESTS
    }


def names_used() -> set[str]:
    """What the shipped code calls things: a pipeline of such a name would hide one of them."""
    found: set[str] = set()
    for name in PARTS:
        for node in ast.walk(ast.parse(shipped(name))):
            if isinstance(node, ast.Name):
                found.add(node.id)
            elif isinstance(node, ast.arg):
                found.add(node.arg)
            elif isinstance(node, ast.alias):
                found.add(node.asname or node.name.partition(".")[0])
    return found - {FIRST}


def is_shipped(name: str, text: str, package: str) -> bool:
    """Whether a module of a pipeline says what was shipped, whatever its table is called."""
    wanted = _renamed(shipped(name), package)
    if name == "contract" and package != FIRST and (table := _TABLE.search(text)):
        wanted = _put(wanted, 'TABLE = "orders"', table[0])
    return says_the_same(text, wanted)


def table_in(contract: Path) -> str | None:
    """The TABLE of a contract.py, where one is written there as plain text."""
    if not contract.is_file():
        return None
    found = _TABLE.search(contract.read_text("utf-8", errors="replace"))
    return found[1] if found else None


def says_the_same(text: str, other: str) -> bool:
    """Whether two files hold the same code, whatever its comments and its layout."""
    try:
        return fingerprint(text) == fingerprint(other)
    except (SyntaxError, ValueError):
        return False


def _renamed(text: str, package: str) -> str:
    """The code of the first pipeline as that of another one, its imports in their order."""
    text = re.sub(rf"\b{FIRST}\b", package, text)
    rooms = (package, *_OWN)
    own = [
        node
        for node in ast.parse(text).body
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in rooms
    ]
    if not own:
        return text
    lines = text.splitlines(keepends=True)
    spans, begin = [], own[0].lineno - 1
    for node in own:
        # What stands above an import, as a comment on it, goes where it goes.
        end = node.end_lineno or node.lineno
        spans.append((str(node.module), lines[begin:end]))
        begin = end
    ordered = [line for _, span in sorted(spans, key=lambda one: one[0]) for line in span]
    return "".join([*lines[: own[0].lineno - 1], *ordered, *lines[begin:]])


def _put(text: str, before: str, after: str) -> str:
    assert text.count(before) == 1, before
    return text.replace(before, after)
