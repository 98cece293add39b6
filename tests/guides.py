"""The guides as a test reads them: their blocks, their marks, their links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

# In the order in which they are run, each from where the one before has left the project.
GUIDES = [
    *("docs/START_HERE.md", "docs/QUICK_START.md", "docs/EXECUTION_INSTRUCTIONS.md"),
    *("docs/SERVER_INSTRUCTIONS.md", "docs/VALIDATION_INSTRUCTIONS.md", "docs/EXECUTION_GUIDE.md"),
    *("README.md", "docs/RUNS.md", "docs/CONTRACT.md", "docs/PIPELINES.md", "docs/SOURCES.md"),
    *("docs/TARGETS.md", "docs/UPDATING.md", "docs/README.md", "docs/INDEX.md"),
]
# What the project answers in which they are read and followed.
ANSWERS = {
    "project_name": "Müller's Orders",
    "work_pool_name": "it's the pool",
    "timezone": "Europe/Berlin",
}

# A comment on the line before a block says what is done with it:
#   not run: why        this machine lacks what it needs
#   fails: why          it shall end with another exit code than 0
#   terminal N          it goes on until Ctrl-C, which it gets after the guide's last block
#   alone: why          it starts from a state of its own, and has a test of its own
_MARK = re.compile(r"<!-- (not run|fails|terminal|alone)(?:[: ] ?(.*?))? -->\n\Z")
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!\!)\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the mark before it with what that says."""

    language: str
    text: str
    line: int
    mark: str = ""
    said: str = ""


def blocks(guide: Path) -> list[Block]:
    """All blocks of a guide, in their order."""
    text = guide.read_text("utf-8")
    found = []
    for match in _BLOCK.finditer(text):
        mark = _MARK.search(text, max(0, match.start() - 300), match.start())
        line = text[: match.start()].count("\n") + 1
        said = (mark[1], mark[2] or "") if mark else ("", "")
        found.append(Block(match[1], match[2], line, *said))
    return found


def prose(guide: Path) -> str:
    """A guide without its blocks."""
    return _BLOCK.sub("", guide.read_text("utf-8"))


def links(guide: Path) -> list[str]:
    """Where a guide's links lead, those to the web left out."""
    return [one for one in _LINK.findall(prose(guide)) if "://" not in one]


def anchors(guide: Path) -> set[str]:
    """The names under which GitHub has a guide's headings."""
    heads = re.findall(r"^#+ (.*)$", prose(guide), re.MULTILINE)
    kept = [re.sub(r"[^\w\- ]", "", head.lower()) for head in heads]
    return {one.replace(" ", "-") for one in kept}


def named_files(guide: Path) -> set[str]:
    """Paths of files of the project that a guide names, in prose or in a block."""
    text = re.sub(r"<!--.*?-->", "", guide.read_text("utf-8"))
    ends = r"(?:sh|py|md|toml|yaml|yml|lock|ndjson)"
    rooms = r"(?:src|scripts|docs|tests|data|\.github)"
    inside = re.findall(rf"(?<![\w/.:-])({rooms}/[\w./-]+\.{ends})\b", text)
    above = re.findall(r"`((?:\.?[\w-]+)\.(?:toml|yaml|lock)|bootstrap\.py|\.env\.example)`", text)
    return {*inside, *above}
