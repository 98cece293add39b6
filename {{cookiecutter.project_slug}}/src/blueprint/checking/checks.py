"""A check: what it proves, what it found, and what is wrong; run together, told together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from blueprint import environment, show
from blueprint.checking.verdict import Finding
from blueprint.project import Problem
from ingest.errors import PipelineError


@dataclass
class Outcome:
    """What a check found: in a few words, and as faults and things to know."""

    found: str = ""
    wrong: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)

    def fault(self, what: str, mend: str) -> None:
        """Something is wrong, and this command mends it."""
        self.wrong.append(Finding(what, mend))

    def note(self, what: str, mend: str) -> None:
        """Something is worth knowing, and this command changes it."""
        self.notes.append(Finding(what, mend))


@dataclass(frozen=True)
class Check:
    """One check. proves: what is certain where it passes. mend: for what it does not foresee."""

    name: str
    proves: str
    look: Callable[[Outcome], None]
    mend: str


@dataclass(frozen=True)
class Result:
    """A check that has run."""

    name: str
    proves: str
    outcome: Outcome

    @property
    def ok(self) -> bool:
        return not self.outcome.wrong


def run(checks: Sequence[Check]) -> list[Result]:
    """Run all of them, in their order: what stands first may be the reason of what follows."""
    results = []
    for check in checks:
        outcome = Outcome()
        try:
            check.look(outcome)
        except (Problem, PipelineError) as problem:
            damaged = isinstance(problem.__cause__, ImportError) and environment.faults()
            outcome.fault(str(problem), environment.COMMAND if damaged else check.mend)
        except Exception as error:  # the user's code may raise anything when it is imported
            damaged = isinstance(error, ImportError) and environment.faults()
            mend = environment.COMMAND if damaged else check.mend
            outcome.fault(explained(error), mend)
        results.append(Result(check.name, check.proves, outcome))
    return results


def explained(error: BaseException) -> str:
    """An error's kind and message; of a syntax error also the place."""
    where = ""
    if isinstance(error, SyntaxError) and error.filename:
        where = f" ({error.filename}, line {error.lineno})"
    return f"{type(error).__name__}: {error}{where}"


def all_ok(results: Sequence[Result]) -> bool:
    """Whether no check found a fault."""
    return all(result.ok for result in results)


def as_dict(results: Sequence[Result]) -> dict[str, Any]:
    """The results, to be written as JSON."""
    return {
        "ok": all_ok(results),
        "wrong": [{"check": r.name, **asdict(one)} for r in results for one in r.outcome.wrong],
        "notes": [{"check": r.name, **asdict(one)} for r in results for one in r.outcome.notes],
        "checks": [
            {
                "name": result.name,
                "proves": result.proves,
                "state": "ok" if result.ok else "wrong",
                "found": result.outcome.found,
            }
            for result in results
        ],
    }


def print_results(title: str, results: Sequence[Result]) -> None:
    """All faults first, in the order of the checks, then what is worth knowing, then each check."""
    show.heading(title)
    for result in results:
        for one in result.outcome.wrong:
            show.wrong(f"{result.name}: {one.what}", one.mend)
    for result in results:
        for one in result.outcome.notes:
            show.warn(f"{result.name}: {one.what}\n        To change it: {one.mend}")
    for result in results:
        found = f" ({result.outcome.found})" if result.outcome.found else ""
        if result.ok:
            show.ok(f"{result.name}: {result.proves}{found}")
    faults = sum(len(result.outcome.wrong) for result in results)
    good = sum(result.ok for result in results)
    show.line("", f"{good} of {len(results)} checks passed, {faults} faults")
