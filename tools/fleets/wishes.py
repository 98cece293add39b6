"""What shall be done with each repository of a fleet, and what became of one."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

_BIN = ".venv/Scripts" if os.name == "nt" else ".venv/bin"
CHECKS = (
    ("bootstrap.py", "--quiet"),
    (f"{_BIN}/ruff", "format", "--check", "."),
    (f"{_BIN}/ruff", "check", "."),
    (f"{_BIN}/pyrefly", "check"),
    ("scripts/run_validation.py",),
    (f"{_BIN}/pytest",),
)
"""What a project's own workflow runs on each push."""


@dataclass(frozen=True)
class Wish:
    """What shall be done with each repository.

    version: the template's, as copier names it; "" for the newest release. answers: to be changed,
    as key=value. branch: "" for one that says what is on it. base: "" for the repository's own.
    test: a command for the shell, where the list names none; "" for none. seconds: what it may take.
    """

    version: str
    answers: tuple[str, ...]
    branch: str
    base: str
    test: str
    seconds: float
    check: bool
    push: bool


@dataclass
class Outcome:
    """What became of a repository.

    state: `current`, `updated`, `conflict`, `behind` or `failed`. was, now: the template's version.
    branch: where the result is; pushed: whether the repository has it. files: in conflict, with
    the reason of each. deleted: what the template has no longer, and the branch neither.
    """

    name: str
    address: str
    state: str = "failed"
    was: str = ""
    now: str = ""
    branch: str = ""
    pushed: bool = False
    files: list[dict[str, str]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    why: str = ""
    log: str = ""
    clone: str = ""
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def default_checks() -> str:
    """The project's own checks, as a command for the shell."""
    commands = [
        f'"{sys.executable}" {" ".join(one)}' if one[0].endswith(".py") else " ".join(one)
        for one in CHECKS
    ]
    return " && ".join(commands)


def branch_for(version: str, answers: Sequence[str]) -> str:
    """A branch for this version, or for these answers."""
    if not answers:
        return f"blueprint-{version}"
    mark = hashlib.sha256("\n".join(sorted(answers)).encode()).hexdigest()[:8]
    return f"blueprint-{'-'.join(keys(answers))}-{mark}".replace("_", "-")


def keys(answers: Sequence[str]) -> list[str]:
    return sorted(one.partition("=")[0] for one in answers)


def has(known: Mapping[str, Any], answers: Sequence[str]) -> bool:
    """Whether a project has all these answers, as key=value."""
    return all(
        str(known.get(key)) == value for key, _, value in (one.partition("=") for one in answers)
    )
