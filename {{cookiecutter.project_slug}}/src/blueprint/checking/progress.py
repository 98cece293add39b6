"""How far the three phases are, and the next command to type.

What the server holds counts for more than what is written down here: a deployment that was
removed or made anew has its runs yet to prove. Where the server cannot be asked, what is
written down is told, with its date.
"""

from __future__ import annotations

from datetime import datetime

from blueprint.checking.facts import Deployment, Facts
from blueprint.checking.verdict import BLUEPRINT, Finding, Phase
from blueprint.done import Passed

_UP = f"{BLUEPRINT} up"
_TITLES = {
    "phase1": "the environment, and the pipeline without a server",
    "phase2": "the work pool and the deployment",
    "phase3": "runs and the schedule",
}


def phases_of(facts: Facts, blocked: bool) -> list[Phase]:
    """The three phases. blocked: the environment or the settings have a fault."""
    asked = facts.server.state == "answers" and bool(facts.deployments)
    first = _first(facts, blocked)
    second = _second(facts) if asked else _written("phase2", facts)
    third = _third(facts) if asked else _written("phase3", facts)
    told = {"phase1": first, "phase2": second, "phase3": third}
    return [
        Phase(
            name,
            _TITLES[name],
            "done" if is_done else "pending",
            why,
            f"scripts/{name}_execute.sh",
        )
        for name, (is_done, why) in told.items()
    ]


def next_command(
    facts: Facts, phases: list[Phase], wrong: list[Finding], blocked: bool
) -> str | None:
    """What to type next: a pending phase and what it needs, else what mends the worst fault."""
    if blocked:
        return wrong[0].mend
    serves = facts.server.state == "answers"
    works = serves and all(pool.workers for pool in facts.pools)
    ready = {"phase1": True, "phase2": serves, "phase3": works}
    for phase in phases:
        if not phase.is_done:
            # Without a server or a worker, the phase would only say so.
            mend = wrong[0].mend if serves and wrong else _UP if facts.server.local else None
            return phase.command if ready[phase.name] else mend or wrong[0].mend
    return wrong[0].mend if wrong else None


def _first(facts: Facts, blocked: bool) -> tuple[bool, str]:
    if blocked:
        return False, "the environment or the settings have a fault"
    return _written("phase1", facts)


def _second(facts: Facts) -> tuple[bool, str]:
    for one in facts.deployments:
        if one.missing:
            return False, f"not deployed by this project{_which(one, facts)}"
        if one.differences:
            return False, "the server holds something else than prefect.yaml says"
    at = facts.passed.get("phase2")
    return True, _when(at) if at else "the server holds what prefect.yaml says"


def _third(facts: Facts) -> tuple[bool, str]:
    known = facts.passed.get("phase3")
    if facts.deployments[0].missing or known is None:
        return False, "not passed yet"
    for one in facts.deployments:
        if one.id not in known.deployments:
            return False, f"{_when(known)}, and deployed anew since{_which(one, facts)}"
    return True, _when(known)


def _which(one: Deployment, facts: Facts) -> str:
    """Which deployment it is, where there are several."""
    return f": {one.name}" if len(facts.deployments) > 1 else ""


def _written(phase: str, facts: Facts) -> tuple[bool, str]:
    known = facts.passed.get(phase)
    if known is None:
        return False, "not passed yet"
    asked = "" if phase == "phase1" else "; the server cannot be asked now"
    return True, _when(known) + asked


def _when(passed: Passed) -> str:
    """In this machine's timezone."""
    try:
        return f"passed {datetime.fromisoformat(passed.at).astimezone():%Y-%m-%d %H:%M}"
    except ValueError:  # written by hand
        return "passed"
