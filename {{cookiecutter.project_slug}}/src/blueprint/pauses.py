"""What an operator has paused stays paused, whatever a deploy renames and wherever it is cut off.

`prefect deploy` makes a renamed deployment or schedule anew, and active; and no later deploy
could tell that it ought to be paused, were it not seen to at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import ObjectNotFound

from blueprint import show

if TYPE_CHECKING:
    from prefect.client.schemas.responses import DeploymentResponse


@contextmanager
def kept(
    client: SyncPrefectClient,
    deployments: Sequence[Mapping[str, Any]],
    full_name: Callable[[Mapping[str, Any]], str],
    before: Mapping[str, DeploymentResponse | None],
    old: Mapping[str, DeploymentResponse],
) -> Iterator[None]:
    """Deploy inside it: what was paused is so again at its end, also after a failure or Ctrl-C.

    before: the manifest's deployments as the server held them, by name. old: those that the
    manifest no longer has, by full name; their pause goes over to the new ones.
    """
    paused = [
        name
        for name, one in old.items()
        if one.paused or (one.schedules and not any(each.active for each in one.schedules))
    ]

    def keep() -> None:
        for one in deployments:
            if held := look(client, full_name(one)):
                _keep(client, held, one, before[one["name"]], paused)

    try:
        yield
        keep()
    except BaseException:
        with suppress(httpx.HTTPError):  # what went wrong first counts for more
            keep()
        raise


def look(client: SyncPrefectClient, name: str) -> DeploymentResponse | None:
    """The deployment `flow/deployment`, where the server has it."""
    try:
        return client.read_deployment_by_name(name)
    except ObjectNotFound:
        return None


def _keep(
    client: SyncPrefectClient,
    held: DeploymentResponse,
    wanted: Mapping[str, Any],
    before: DeploymentResponse | None,
    paused: Sequence[str],
) -> None:
    if before:
        _keep_schedules(client, held, wanted, before)
        if before.paused and wanted.get("paused") is None and not held.paused:
            _pause(client, held, "as it was before")
    elif paused and not held.paused:
        _pause(client, held, f"as {paused[0]} was")


def _keep_schedules(
    client: SyncPrefectClient,
    held: DeploymentResponse,
    wanted: Mapping[str, Any],
    before: DeploymentResponse,
) -> None:
    """A schedule that an operator has paused does not run by itself because it was renamed.

    Where all of those that the manifest no longer has were paused, so are the ones that came
    in the same deploy.
    """
    slugs = {one["slug"] for one in wanted.get("schedules") or []}
    known = {one.slug: one.active for one in before.schedules}
    old = known.keys() - slugs
    if not old or any(known[slug] for slug in old):
        return
    for one in client.read_deployment_schedules(held.id):
        if one.active and one.slug not in known:
            client.update_deployment_schedule(held.id, one.id, active=False)
            show.warn(f"the schedule {one.slug} is paused, as the one was that it replaces")


def _pause(client: SyncPrefectClient, held: DeploymentResponse, why: str) -> None:
    client.pause_deployment(held.id)
    show.warn(f"the deployment {held.name} is paused, {why}; resume it in the UI")
