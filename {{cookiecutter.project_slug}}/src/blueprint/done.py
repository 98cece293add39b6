"""Which phases have passed in this folder; git ignores it, so a fresh clone knows of none.

A copy of the folder forgets it too (`project.mark`). What the server holds counts for more:
`blueprint status` holds the one against the other.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from blueprint.project import STATE

PHASES = ("phase1", "phase2", "phase3")


@dataclass(frozen=True)
class Passed:
    """When a phase passed (ISO 8601), and for phases 2 and 3 which deployments it was about."""

    at: str
    deployments: tuple[str, ...] = ()


def note(phase: str, *deployments: UUID) -> None:
    """A phase has passed just now."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    _write({**passed(), phase: Passed(now, tuple(map(str, deployments)))})


def forget(*phases: str) -> None:
    """These phases have yet to pass again, as after a cleanup."""
    known = passed()
    if known.keys() & set(phases):
        _write({phase: one for phase, one in known.items() if phase not in phases})


def passed() -> dict[str, Passed]:
    """The phases that have passed; none where nothing or nonsense is written down."""
    try:
        told = json.loads((STATE / "phases.json").read_text("utf-8"))
        return {
            phase: Passed(told[phase]["at"], _deployments(told[phase]))
            for phase in PHASES
            if phase in told
        }
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def _deployments(told: Mapping[str, Any]) -> tuple[str, ...]:
    """Until there were several, one was written down."""
    one = told.get("deployment")
    return tuple(told.get("deployments") or ([one] if one else []))


def _write(known: Mapping[str, Passed]) -> None:
    STATE.mkdir(exist_ok=True)
    draft = STATE / f"phases.{os.getpid()}"
    draft.write_text(json.dumps({phase: asdict(one) for phase, one in known.items()}), "utf-8")
    draft.replace(STATE / "phases.json")
