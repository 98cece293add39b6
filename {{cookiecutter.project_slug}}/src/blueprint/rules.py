"""The rules by which the server looks after this project's runs, and after no other project's.

A process that was killed tells nobody: its run would be Running for ever, and hold the deployment's
concurrency slot. So the server itself watches. What it waits for, in seconds, stands in
pyproject.toml, [tool.blueprint].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

from blueprint import notifying
from blueprint.environment import settings
from blueprint.project import Problem, mark

if TYPE_CHECKING:
    from prefect.events.actions import ActionTypes

HEARTBEAT = "PREFECT_FLOWS_HEARTBEAT_FREQUENCY"
"""The variable, in the manifest's job_variables.env, that says how often a run gives a sign."""
_DEFAULT_HEARTBEAT = 180
_LEAST_HEARTBEAT = 30
"""Prefect takes no less: with it no run would begin."""
_MISSED = 3
"""So many signs of life in a row have to be missing before a run is taken for dead."""
TAG = "blueprint:"
_SHORTEST = 10
"""Seconds: Prefect lets no automation wait for less."""

# The names of Prefect's states (prefect/states.py): a custom one would be no relief.
_TAKEN = ("Pending", "Submitting", "InfrastructurePending")
_RUNNING = ("Running", "Retrying", "Cancelling")
_ENDED = ("Completed", "Failed", "Crashed", "Cancelled", "TimedOut", "Cached", "RolledBack")
_WAITING = ("Scheduled", "Late", "AwaitingRetry", "AwaitingConcurrencySlot", "Paused", "Suspended")


@dataclass(frozen=True)
class Patience:
    """Seconds without a sign after which a run is dealt with; 0 for never.

    dead: Running, and no heartbeat. pending: taken by a worker, and not begun. late: due, and
    taken by no worker. notify: see `blueprint.notifying`.
    """

    dead: int
    pending: int
    late: int
    notify: str


def patience(deployments: Sequence[Mapping[str, Any]]) -> Patience:
    """What pyproject.toml says, and for `dead` what matches the manifest's heartbeat.

    Raises:
        Problem: a value is none.
    """
    given = settings().get("tool", {}).get("blueprint", {})
    seconds = {}
    for key in ("pending_seconds", "late_seconds"):
        value = given.get(key, 0)
        if type(value) is not int or (value and value < _SHORTEST):
            raise Problem(
                f"{key} in pyproject.toml, [tool.blueprint], must be 0 (never) or {_SHORTEST} "
                f"and more seconds, not {value!r}."
            )
        seconds[key] = value
    notify = str(given.get("notify", ""))
    notifying.check(notify)
    slowest = max((_heartbeat(one) for one in deployments), default=_DEFAULT_HEARTBEAT)
    return Patience(_MISSED * slowest, seconds["pending_seconds"], seconds["late_seconds"], notify)


def _heartbeat(deployment: Mapping[str, Any]) -> int:
    env = deployment["work_pool"].get("job_variables", {}).get("env", {})
    given = env.get(HEARTBEAT, _DEFAULT_HEARTBEAT)
    with suppress(TypeError, ValueError):
        if int(given) >= _LEAST_HEARTBEAT:
            return int(given)
    raise Problem(
        f"prefect.yaml gives {deployment['name']!r} the {HEARTBEAT} {given!r}: write a number of "
        f"seconds, {_LEAST_HEARTBEAT} or more."
    )


def wanted(
    slug: str, ids: Sequence[UUID], waits: Patience, tell: ActionTypes | None
) -> list[AutomationCore]:
    """The automations of this project, for the deployments with these ids."""
    told = [tell] if tell else []
    sign = "prefect.flow-run.heartbeat"
    found = [
        _Rule(
            "a run whose process has died",
            after={sign},
            unless={sign, *_events(*_ENDED, *_WAITING)},
            seconds=waits.dead,
            actions=[_change(StateType.CRASHED, f"No sign of life for {waits.dead} s.")],
        ),
        _Rule(
            "a run that a worker took and did not begin",
            after=_events(*_TAKEN),
            unless={sign, *_events(*_RUNNING, *_ENDED, *_WAITING)},
            seconds=waits.pending,
            actions=[_change(StateType.CRASHED, f"Pending for {waits.pending} s.")],
        ),
        _Rule(
            "a run that no worker took",
            after=_events("Late"),
            unless=_events(*_TAKEN, *_RUNNING, *_ENDED, *_WAITING) - _events("Late"),
            seconds=waits.late,
            # A run that was Scheduled is Cancelled at once; one that has ended stays as it is.
            actions=[
                _change(StateType.CANCELLING, f"Late for {waits.late} s: no worker took it."),
                *told,
            ],
        ),
    ]
    if told:
        found.append(
            _Rule("tell of a failed run", _events("Failed", "Crashed", "TimedOut"), told, 0)
        )
    return [one.automation(slug, ids) for one in found if one.seconds or not one.unless]


@dataclass(frozen=True)
class _Rule:
    """After these events, unless one of those comes within the seconds: the actions.

    Without `unless`: the actions at once.
    """

    what: str
    after: set[str]
    actions: list[ActionTypes]
    seconds: int
    unless: frozenset[str] | set[str] = frozenset()

    def automation(self, slug: str, ids: Sequence[UUID]) -> AutomationCore:
        here = [f"prefect.deployment.{one}" for one in sorted(ids, key=str)]
        matched: dict[str, Any] = {
            "match": {"prefect.resource.id": "prefect.flow-run.*"},
            "match_related": {
                "prefect.resource.role": "deployment",
                "prefect.resource.id": here,
            },
        }
        if self.unless:
            trigger = EventTrigger(
                posture=Posture.Proactive,
                after=self.after,
                expect=set(self.unless),
                for_each={"prefect.resource.id"},
                within=timedelta(seconds=self.seconds),
                threshold=1,
                **matched,
            )
        else:
            trigger = EventTrigger(
                posture=Posture.Reactive,
                expect=self.after,
                for_each={"prefect.resource.id"},
                threshold=1,
                **matched,
            )
        return AutomationCore(
            name=f"{slug} ({mark()[:8]}): {self.what}",
            description="Made by `blueprint deploy`, for this project's deployments alone.",
            tags=[tag()],
            trigger=trigger,
            actions=self.actions,
        )


def tag() -> str:
    """What each automation of this project is tagged with."""
    return f"{TAG}{mark()}"


def _events(*names: str) -> set[str]:
    return {f"prefect.flow-run.{name}" for name in names}


def _change(state: StateType, why: str) -> ChangeFlowRunState:
    return ChangeFlowRunState(state=state, message=f"{why} Marked by this project's automation.")
