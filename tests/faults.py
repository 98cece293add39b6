"""What check_status.sh tells of a project, and mending it by the command that it prints."""

from __future__ import annotations

import json
from typing import Any

from living import Living


def status(living: Living) -> dict[str, Any]:
    code, printed = living.ends("check_status.sh", "--json")
    told = json.loads(printed)
    assert told["exit_code"] == code
    return told


def states(told: dict[str, Any]) -> list[str]:
    return [phase["state"] for phase in told["phases"]]


def fault(living: Living, words: str) -> str:
    """The command that is given to mend the fault of those words, which is said first."""
    code, printed = living.ends("check_status.sh")
    lines = printed.splitlines()
    assert code == 1, printed
    assert lines[2].startswith("  wrong ") and words in lines[2], printed
    return next(line.split("Mend it: ")[1] for line in lines if "Mend it: " in line)


def mend(living: Living, command: str) -> str:
    """Type a printed command in the project's folder."""
    return living.in_project("sh", "-c", command)
