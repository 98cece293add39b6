"""Whose a contract is: the template's, the inference's, or a person's who edited it."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Iterator
from datetime import date

_DOCSTRING = '''\
"""The data contract. Yours to edit: what a record must be, what names it, where it goes.

It was inferred from a source, every record of which it accepts; docs/CONTRACT.md says how.
Each record is judged by `Record.model_validate`: what it refuses goes to the quarantine
folder with the reason, and the rest is loaded, one column for each field.
"""
'''
_SOURCE = re.compile(r"^# Inferred from (\".*\")$", re.MULTILINE)
_MARK = re.compile("^# Mark: ([0-9a-f]{64})$", re.MULTILINE)


def signed(code: str, source: str, day: date, records: int) -> str:
    """A contract's whole text: `code` with a docstring, where it is from, and its mark."""
    # ASCII with escapes: whatever the address holds, the comment is one line.
    header = (
        f"# Inferred from {json.dumps(source)}\n"
        f"# on {day.isoformat()}, over {records:,} records. As long as nobody edits what follows, "
        "the mark fits\n"
        "# it, and another source_url has it inferred anew.\n"
    )
    mark = _mark(fingerprint(_DOCSTRING + code), source)
    return f"{_DOCSTRING}\n{header}# Mark: {mark}\n\n{code}"


def inferred_from(text: str) -> str | None:
    """The source that a contract was inferred from, if nobody has edited it since."""
    source, mark = _SOURCE.search(text), _MARK.search(text)
    if not source or not mark:
        return None
    try:
        name = json.loads(source[1])
        own = _mark(fingerprint(text), name)
    except (ValueError, SyntaxError):
        return None
    return name if own == mark[1] else None


def fingerprint(text: str) -> str:
    """A hash of what Python code says, whatever its comments and its layout.

    Raises SyntaxError for what is no Python.
    """
    return hashlib.sha256("\n".join(_told(ast.parse(text))).encode()).hexdigest()


def _mark(told: str, source: str) -> str:
    return hashlib.sha256(f"{told} {source}".encode("utf-8", "surrogatepass")).hexdigest()


def _told(node: ast.AST) -> Iterator[str]:
    """The tree in words; unlike `ast.dump` the same in every version of Python."""
    yield f"({type(node).__name__}"
    for name, value in ast.iter_fields(node):
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, ast.expr_context) or one is None:
                continue
            if isinstance(one, ast.AST):
                yield name
                yield from _told(one)
            else:
                yield f"{name}={one!r}"
    yield ")"
