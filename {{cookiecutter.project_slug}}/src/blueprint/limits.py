"""How long things are kept, and how long is waited: `[tool.blueprint.limits]` of pyproject.toml."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from blueprint import environment
from blueprint.project import Problem
from runtime.project import ROOT


@dataclass(frozen=True)
class Limits:
    """Each setting with what holds where pyproject.toml does not say it."""

    drain_seconds: int = 300
    """How long `blueprint down` lets runs go on before it ends them."""
    runs_days: int = 90
    """Flow runs that have ended, with their task runs, logs and artifacts."""
    events_days: int = 7
    """Events, in the database of a server that this project starts."""
    quarantine_days: int = 90
    """Files of refused records: within this time they can be replayed."""
    work_folders_days: int = 2
    """Temporary folders of runs that were killed."""
    log_megabytes: int = 10
    """How large a log file of the server or the worker gets."""
    log_files: int = 5
    """How many log files each of them has."""

    @property
    def log_bytes(self) -> int:
        """`log_megabytes` in bytes."""
        return self.log_megabytes * 1_000_000


_LEAST = {"drain_seconds": 0}


def read(root: Path = ROOT) -> Limits:
    """The project's limits.

    Raises:
        Problem: pyproject.toml holds an unknown one, or one that is no number that it can be.
    """
    said: Any = environment.settings(root).get("tool", {}).get("blueprint", {}).get("limits", {})
    known = [field.name for field in fields(Limits)]
    faults = [
        f"  - {name} is not a limit; there are: {', '.join(known)}"
        for name in said
        if name not in known
    ]
    for name in known:
        value, least = said.get(name, 1), _LEAST.get(name, 1)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            faults.append(f"  - {name} is {value!r}, and must be a whole number from {least} on")
    if faults:
        listed = "\n".join(faults)
        raise Problem(f"[tool.blueprint.limits] of pyproject.toml has faults:\n{listed}")
    return Limits(**said)


def ago(days: int) -> datetime:
    """The moment that many days ago."""
    return datetime.now(UTC) - timedelta(days=days)
