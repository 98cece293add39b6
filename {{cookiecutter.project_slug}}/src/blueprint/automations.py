"""The automations that look after this project's runs, and after no other project's.

A process that was killed tells nobody: its run would be Running for ever, and hold the deployment's
concurrency slot. So the server itself watches: each automation names this project's deployments by
id. What they wait for, in seconds, stands in pyproject.toml, [tool.blueprint].
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger, Posture

from blueprint import notifying, show
from blueprint.environment import settings
from blueprint.project import Problem, mark

if TYPE_CHECKING:
    from prefect.events.actions import ActionTypes

HEARTBEAT = "PREFECT_FLOWS_HEARTBEAT_FREQUENCY"
"""The variable, in the manifest's job_variables.env, that says how often a run gives a sign."""
_DEFAULT_HEARTBEAT = 180
_MISSED = 3
"""So many signs of life in a row have to be missing before a run is taken for dead."""
_SHORTEST = 10
"""Seconds: Prefect lets no automation wait for less."""

# The names of Prefect's states (prefect/states.py): a custom one would be no relief.
_TAKEN = ("Pending", "Submitting", "InfrastructurePending")
_RUNNING = ("Running", "Retrying", "Cancelling")
_ENDED = ("Completed", "Failed", "Crashed", "Cancelled", "TimedOut", "Cached", "RolledBack")
_WAITING = ("Scheduled", "Late", "AwaitingRetry", "AwaitingConcurrencySlot", "Paused", "Suspended")
_PAGE = 200


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
    try:
        return int(env.get(HEARTBEAT, _DEFAULT_HEARTBEAT))
    except (TypeError, ValueError):
        raise Problem(
            f"prefect.yaml gives {deployment['name']!r} the {HEARTBEAT} {env[HEARTBEAT]!r}: write "
            "a number of seconds, 30 or more."
        ) from None


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
            tags=[_tag()],
            trigger=trigger,
            actions=self.actions,
        )


def reconcile(client: SyncPrefectClient, slug: str, ids: Sequence[UUID], waits: Patience) -> None:
    """Make, change and remove this project's automations until they are as wanted.

    One that is right already is left alone, with what it is waiting for; one that an operator
    has switched off stays off.

    Raises:
        Problem: see `notifying.action`.
    """
    tell = notifying.action(client, waits.notify)
    there = {one.name: one for one in held(client)}
    asked = {one.name: one for one in wanted(slug, ids, waits, tell)} if ids else {}
    for name, one in asked.items():
        before = there.get(name)
        if before is None:
            client.create_automation(one)
        elif _facts(before) != _facts(one):
            client.update_automation(before.id, one.model_copy(update={"enabled": before.enabled}))
    for name in there.keys() - asked.keys():
        client.delete_automation(there[name].id)
    if not waits.notify.startswith("env:"):
        notifying.remove_own(client)
    if off := [name for name, one in there.items() if name in asked and not one.enabled]:
        show.warn(f"switched off in the UI, and left so: {'; '.join(sorted(off))}")


def differences(
    client: SyncPrefectClient, slug: str, ids: Sequence[UUID], waits: Patience
) -> list[str]:
    """What `reconcile` would do, each a sentence. Nothing is made or changed."""
    tell = notifying.action(client, waits.notify, dry_run=True)
    there = {one.name: one for one in held(client)}
    asked = {one.name: one for one in wanted(slug, ids, waits, tell)}
    found = [f"the automation {name!r} will be made" for name in asked.keys() - there.keys()]
    found += [f"the automation {name!r} will be removed" for name in there.keys() - asked.keys()]
    found += [
        f"the automation {name!r} is not as it is to be, and will be changed"
        for name in asked.keys() & there.keys()
        if _facts(there[name]) != _facts(asked[name])
    ]
    return sorted(found)


def held(client: SyncPrefectClient) -> list[Automation]:
    """The server's automations that carry this project's mark."""
    return [one for one in _all(client) if _tag() in one.tags]


def _all(client: SyncPrefectClient) -> Iterator[Automation]:
    offset = 0
    while page := client.read_automations(limit=_PAGE, offset=offset):
        yield from page
        if len(page) < _PAGE:
            return
        offset += _PAGE


def _tag() -> str:
    return f"blueprint:{mark()}"


def _events(*names: str) -> set[str]:
    return {f"prefect.flow-run.{name}" for name in names}


def _change(state: StateType, why: str) -> ChangeFlowRunState:
    return ChangeFlowRunState(state=state, message=f"{why} Marked by this project's automation.")


def _facts(one: AutomationCore) -> dict[str, Any]:
    """What is compared: all but the ids, and whether it is switched on."""
    facts = one.model_dump(
        mode="json", include={"name", "description", "tags", "trigger", "actions"}
    )
    facts["trigger"].pop("id", None)
    for key in ("after", "expect", "for_each"):
        facts["trigger"][key] = sorted(facts["trigger"][key])
    return facts
