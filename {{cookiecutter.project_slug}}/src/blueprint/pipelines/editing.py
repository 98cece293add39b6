"""Puts a deployment into prefect.yaml, and takes one out: whatever else stands there stays as it is.

The text is edited, not written anew: a person's comments, quotes and layout are theirs. What comes
out is read again, and must hold what it held before with that one change, or nothing is done.
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from blueprint.project import Problem

_BREAK = re.compile("(\r\n|[\n\r\x85\u2028\u2029])")
"""What ends a line, as YAML has it."""
_Cut = tuple[int, int, list[str]]
"""The lines from the first to before the second number make way for these."""


def added(text: str, deployment: Mapping[str, Any]) -> str:
    """The manifest with one more deployment at the end of its list.

    Raises:
        Problem: it is written in a way that cannot be edited soundly; says how to write it.
    """
    block = _block(deployment)

    def put(lines: list[str]) -> _Cut:
        listed = _listed(text, lines)
        indent = " " * listed.dash
        new = ["", *(indent + line if line else "" for line in block.splitlines())]
        return listed.end, listed.end, new

    def wanted(raw: dict[str, Any]) -> None:
        raw["deployments"].append(dict(deployment))

    return _edited(text, put, wanted)


def removed(text: str, name: str) -> str:
    """The manifest without the deployment of that name.

    Raises:
        Problem: it is written in a way that cannot be edited soundly; says how to write it.
    """

    def cut(lines: list[str]) -> _Cut:
        listed = _listed(text, lines)
        begin, end = listed.items[listed.names.index(name)]
        begin -= begin > 0 and not lines[begin - 1].strip()
        return begin, end, []

    def wanted(raw: dict[str, Any]) -> None:
        raw["deployments"] = [one for one in raw["deployments"] if one["name"] != name]

    return _edited(text, cut, wanted)


def block_of(text: str, name: str) -> str | None:
    """What stands there of a deployment, comments and all; None where that cannot be told."""
    lines = _BREAK.split(text)[::2]
    try:
        listed = _listed(text, lines)
        begin, end = listed.items[listed.names.index(name)]
    except (yaml.YAMLError, _NotInBlocks, ValueError, LookupError):
        return None
    return textwrap.dedent("\n".join(line.rstrip() for line in lines[begin:end])).strip()


def _edited(
    text: str, edit: Callable[[list[str]], _Cut], wanted: Callable[[dict[str, Any]], None]
) -> str:
    # A line keeps what parts it from the one above, so that the last one needs no end.
    parts = ["", *_BREAK.split(text)]
    breaks, lines = parts[::2], parts[1::2]
    usual = Counter(breaks[1:]).most_common(1)
    expected = yaml.safe_load(text)
    wanted(expected)
    try:
        begin, end, new = edit(lines)
        pairs = list(zip(breaks, lines, strict=True))
        pairs[begin:end] = [(usual[0][0], line) for line in new]
        done = "".join(one + line for one, line in pairs)
        if yaml.safe_load(done) == expected:
            return done
    except (yaml.YAMLError, _NotInBlocks, ValueError, LookupError):
        pass
    raise Problem(
        "The deployments in prefect.yaml are written in a way that is not edited by a program, so "
        "nothing was changed.\nWrite them as a list in that file, below the key `deployments`, with "
        "a line for each dash: no brackets around it, no alias, no `...` behind it. Then type the "
        "same command again."
    )


class _NotInBlocks(Exception):
    """The deployments are no list with a line for each dash."""


@dataclass(frozen=True)
class _Listed:
    """The deployments in the text: the column of their dashes, the lines of each, and the line
    before which another one goes."""

    dash: int
    names: list[str]
    items: list[tuple[int, int]]
    end: int


def _listed(text: str, lines: list[str]) -> _Listed:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        raise _NotInBlocks
    keys = {key.value: (key, value) for key, value in root.value}
    _, sequence = keys["deployments"]
    if not isinstance(sequence, yaml.SequenceNode) or sequence.flow_style:
        raise _NotInBlocks
    begins = [_dash_above(lines, node.start_mark.line) for node in sequence.value]
    dash = len(lines[begins[0]]) - len(lines[begins[0]].lstrip())
    items = [
        (begin, _with_comments(lines, _last_line(node) + 1, dash))
        for begin, node in zip(begins, sequence.value, strict=True)
    ]
    names = [one["name"] for one in yaml.safe_load(text)["deployments"]]
    end = items[-1][1]
    if all(key.start_mark.line <= begins[0] for key, _ in keys.values()):
        # The list is the file's last part: a comment at its end stays where it is.
        end = len(lines)
        while not lines[end - 1].strip():
            end -= 1
    return _Listed(dash, names, items, end)


def _dash_above(lines: list[str], number: int) -> int:
    while number >= 0:
        if re.match(r"\s*-(\s|$)", lines[number]):
            return number
        number -= 1
    raise _NotInBlocks


def _last_line(node: yaml.Node) -> int:
    """The number of the last line on which something of the node stands."""
    blocks = isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value
    if not blocks:
        mark = node.end_mark
        return mark.line - (mark.column == 0 and mark.line > node.start_mark.line)
    pairs = node.value if isinstance(node, yaml.MappingNode) else [(one,) for one in node.value]
    return max(_last_line(one) for pair in pairs for one in pair)


def _with_comments(lines: list[str], end: int, dash: int) -> int:
    """The end of an item with the comments that belong to it: they stand deeper than its dash."""
    while end > 0 and not lines[end - 1].strip():  # a text block ends behind its empty lines
        end -= 1
    found = end
    for number in range(end, len(lines)):
        line = lines[number].strip()
        if line and not line.startswith("#"):
            break
        if line and len(lines[number]) - len(lines[number].lstrip()) > dash:
            found = number + 1
        elif line:
            break
    return found


class _Dumper(yaml.SafeDumper):
    """Lists are indented below their keys, and nothing is written as an alias."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _block(deployment: Mapping[str, Any]) -> str:
    return yaml.dump(
        [dict(deployment)], Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**6
    )
