"""What is told of facts: what is wrong, what to know, how far the phases are, what is next."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass

_BIN = ".venv\\Scripts\\" if os.name == "nt" else ".venv/bin/"
BLUEPRINT = f"{_BIN}blueprint"
"""As a person types it in the project's folder."""
PREFECT = f"{_BIN}prefect"


def quoted(name: str) -> str:
    """A name as a shell takes it, as legible as can be."""
    return f'"{name}"' if "'" in name and not set(name) & set('"$`\\!') else shlex.quote(name)


@dataclass(frozen=True)
class Finding:
    """Something that is wrong or worth knowing, and the command that mends it."""

    what: str
    mend: str


@dataclass(frozen=True)
class Phase:
    """How far a phase is: done or pending; why, and the command that does it."""

    name: str
    title: str
    state: str
    why: str
    command: str

    @property
    def is_done(self) -> bool:
        return self.state == "done"


@dataclass(frozen=True)
class Verdict:
    """What to make of the facts: the worst first. `next` is the next command to type, if any."""

    wrong: list[Finding]
    notes: list[Finding]
    phases: list[Phase]
    next: str | None

    @property
    def exit_code(self) -> int:
        """0: all in order; 1: something is wrong; 2: nothing is, and a phase is pending."""
        if self.wrong:
            return 1
        return 0 if all(phase.is_done for phase in self.phases) else 2
