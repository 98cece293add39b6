"""The automations that look after this project's runs, made and kept as `blueprint.rules` says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger

from blueprint import notifying, show
from blueprint.rules import TAG, Patience, tag, wanted

_PAGE = 200


def reconcile(client: SyncPrefectClient, slug: str, ids: Sequence[UUID], waits: Patience) -> None:
    """Make, change and remove this project's automations until they are as wanted.

    One that is right already is left alone, with what it is waiting for; one that an operator
    has switched off stays off.

    Raises:
        Problem: see `notifying.action`.
    """
    tell = notifying.action(client, waits.notify)
    there, twice = _by_name(client)
    asked = {one.name: one for one in wanted(slug, ids, waits, tell)} if ids else {}
    for name, one in asked.items():
        before = there.get(name)
        if before is None:
            client.create_automation(one)
        elif _facts(before) != _facts(one):
            client.update_automation(before.id, one.model_copy(update={"enabled": before.enabled}))
    for old in [*twice, *(there[name] for name in there.keys() - asked.keys())]:
        client.delete_automation(old.id)
    _take_away_from_others(client, ids)
    if not waits.notify.startswith("env:"):
        notifying.remove_own(client)
    if off := [name for name, one in there.items() if name in asked and not one.enabled]:
        show.warn(f"switched off in the UI, and left so: {'; '.join(sorted(off))}")


def differences(
    client: SyncPrefectClient, slug: str, ids: Sequence[UUID], waits: Patience
) -> list[str]:
    """What `reconcile` would do, each a sentence. Nothing is made or changed."""
    tell = notifying.action(client, waits.notify, dry_run=True)
    there, twice = _by_name(client)
    asked = {one.name: one for one in wanted(slug, ids, waits, tell)}
    found = [f"the automation {name!r} will be made" for name in asked.keys() - there.keys()]
    found += [f"the automation {name!r} will be removed" for name in there.keys() - asked.keys()]
    found += [f"the automation {one.name!r} is there twice, and will be removed" for one in twice]
    found += [
        f"the automation {name!r} is not as it is to be, and will be changed"
        for name in asked.keys() & there.keys()
        if _facts(there[name]) != _facts(asked[name])
    ]
    return sorted(found)


def _by_name(client: SyncPrefectClient) -> tuple[dict[str, Automation], list[Automation]]:
    """This project's automations, and those whose name is taken: two deploys at once make them."""
    first: dict[str, Automation] = {}
    twice = []
    for one in held(client):
        if first.setdefault(one.name, one) is not one:
            twice.append(one)
    return first, twice


def _take_away_from_others(client: SyncPrefectClient, ids: Sequence[UUID]) -> None:
    """Whose deployment was taken over has automations that still name it: they would act on ours."""
    ours = {f"prefect.deployment.{one}" for one in ids}
    for one in _all(client):
        foreign = any(other.startswith(TAG) and other != tag() for other in one.tags)
        named = _deployments_of(one) if foreign else set()
        if not named & ours:
            continue
        if named <= ours:
            client.delete_automation(one.id)
        elif isinstance(one.trigger, EventTrigger):
            rest = {"prefect.resource.role": "deployment"}
            related = {**rest, "prefect.resource.id": sorted(named - ours)}
            trigger = one.trigger.model_copy(update={"match_related": related})
            client.update_automation(one.id, one.model_copy(update={"trigger": trigger}))
        show.warn(f"the automation {one.name!r} no longer looks after what was taken over")


def _deployments_of(one: AutomationCore) -> set[str]:
    """The deployments that it names, as Prefect writes them in an event."""
    facts = one.trigger.model_dump(mode="json")
    related = facts.get("match_related") or {}
    found = related.get("prefect.resource.id", []) if isinstance(related, dict) else []
    return {found} if isinstance(found, str) else set(found)


def held(client: SyncPrefectClient) -> list[Automation]:
    """The server's automations that carry this project's mark."""
    return [one for one in _all(client) if tag() in one.tags]


def _all(client: SyncPrefectClient) -> Iterator[Automation]:
    offset = 0
    while page := client.read_automations(limit=_PAGE, offset=offset):
        yield from page
        if len(page) < _PAGE:
            return
        offset += _PAGE


def _facts(one: AutomationCore) -> dict[str, Any]:
    """What is compared: all but the ids, and whether it is switched on."""
    facts = one.model_dump(
        mode="json", include={"name", "description", "tags", "trigger", "actions"}
    )
    facts["trigger"].pop("id", None)
    for key in ("after", "expect", "for_each"):
        facts["trigger"][key] = sorted(facts["trigger"][key])
    return facts
