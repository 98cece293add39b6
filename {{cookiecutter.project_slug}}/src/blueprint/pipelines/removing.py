"""`blueprint remove-pipeline`: takes away what `blueprint add-pipeline` has added, here and there.

The server first, since a schedule would start runs of code that has gone. Then the code is put
aside, the manifest is written, and what was put aside is deleted: interrupted before that, the
same command goes on. What a person edits while they are asked is neither lost nor passed over:
after the answer all is looked at again, while no other command of this project is at work.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from blueprint import show
from blueprint.pipelines import copies, finding, placing
from blueprint.pipelines.finding import Found
from blueprint.pipelines.which import given_or_default, named_package, path_of
from blueprint.processes import alone
from blueprint.project import STATE, Problem, Project
from ingest.errors import PipelineError

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.responses import DeploymentResponse

    from blueprint.cleaning import Plan


def remove(
    project: Project, name: str, *, yes: bool = False, force: bool = False, dry_run: bool = False
) -> None:
    """Show what would be removed, ask, and remove it.

    Raises:
        Problem: there is no such pipeline, it was edited and `force` is not set, other code
            imports it, a run of it is in hand, nobody has confirmed it, or it has changed since.
    """
    show.heading(f"Remove the pipeline {name}")
    found = finding.look(name, force)
    _list(found)
    from blueprint import cleaning

    with ExitStack() as stack:
        client = _connect(stack, project, name)
        if client:
            for what, _ in _there(client, name)[1].removed:
                show.doing(f"to be removed: on the server, {what}")
        if dry_run:
            show.ok("nothing was removed; without --dry-run it is")
            return
        here = "" if client else " here"
        cleaning.confirm(yes, f"Remove all this{here}?", f"remove-pipeline {name}")
        with alone():
            again = finding.look(name, force)
            if again.seen != found.seen:
                changed = sorted({name for name, _ in again.seen.items() ^ found.seen.items()})
                raise Problem(
                    f"{', '.join(changed)} has changed since you were asked, so nothing was removed. "
                    "Look at it, and type the same command again."
                )
            if client:
                _remove_there(client, again)
            aside = STATE / "scratch" / f"removing-{name}-{os.getpid()}"
            placing.take_out(again.roots(), aside, again.text)
    show.ok(f"removed the pipeline {name}")


def _list(found: Found) -> None:
    for name in found.seen:
        edited = ", edited" if name in found.edited else ""
        show.doing(f"to be removed: {name}{edited}")
    table = copies.table_in(path_of(found.name, "contract"))
    for one in found.deployments:
        show.warn(f"stays: the table {table or 'that it loads'} in {_target(one)}")
        folder = given_or_default(one, "quarantine") or "a folder that is not known"
        show.warn(f"stays: refused records in {folder}; `blueprint prune` no longer looks there")


def _target(deployment: Mapping[str, Any]) -> str:
    """Where it loads; its code or its parameters may be the very fault for which it goes."""
    from blueprint.withholding import target

    given = given_or_default(deployment, "target")
    try:
        return target(str(given)) if given else "a target that is not known"
    except (PipelineError, ImportError):
        return "a target that is not known"


def _connect(stack: ExitStack, project: Project, name: str) -> SyncPrefectClient | None:
    """The server, if it answers; else it is said what it may still have."""
    from blueprint import services

    try:
        return stack.enter_context(services.connected(project))
    except services.Unreachable as problem:
        why = str(problem).partition("\n")[0].rstrip(".")
    show.warn(
        f"{why}: what it may have of {name} is not seen. `blueprint redeploy` takes it "
        "off, once the server answers; until then its schedule goes on"
    )
    return None


def _there(client: SyncPrefectClient, name: str) -> tuple[list[DeploymentResponse], Plan]:
    """This project's other deployments on the server, and what is to be removed of this pipeline.

    Raises Problem where a run of it is in hand.
    """
    from blueprint import cleaning, owning

    plan = cleaning.Plan()
    others = []
    for one in owning.ours(client):
        if named_package({"entrypoint": one.entrypoint or ""}) == name:
            cleaning.plan_deployment(client, one, plan)
        else:
            others.append(one)
    if plan.left:
        raise Problem(
            f"Nothing was removed: {'; '.join(plan.left)}. It needs the code until it has ended."
        )
    return others, plan


def _remove_there(client: SyncPrefectClient, found: Found) -> None:
    from blueprint import automations, cleaning, rules

    others, plan = _there(client, found.name)
    cleaning.remove(plan)
    names = {one["name"] for one in found.kept}
    ids = [one.id for one in others if one.name in names]
    automations.reconcile(client, found.plan.name, ids, rules.patience(found.kept))
