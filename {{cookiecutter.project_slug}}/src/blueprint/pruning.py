"""`blueprint prune`: deletes what is older than the limits say.

On a server that others use, only the runs of this project's deployments; on one that this project
started, all that have ended. Such a server also looks by itself, once an hour, and deletes old
events too, for which the API has no way (see `services.server_environment`).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterParentTaskRunId,
)
from prefect.client.schemas.objects import TERMINAL_STATES
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound

from blueprint import database, leftovers, limits, owning, paging, services, show
from blueprint.processes import SERVER
from blueprint.project import Problem, Project
from ingest.say import Say, silent
from runtime.project import ROOT

_PAGE = 100


@dataclass
class Pruned:
    """What was deleted, or would be; counts, and the paths of files and folders."""

    dry_run: bool
    whole_server: bool = False
    """Whether the runs of others were looked at too: this project started the server."""
    runs: int = 0
    artifacts: int = 0
    quarantine: list[str] = field(default_factory=list)
    work_folders: list[str] = field(default_factory=list)
    database_bytes_before: int = 0
    database_bytes_after: int = 0
    server: str | None = None
    """Why the server's part was left out, if it was."""

    def json(self) -> dict[str, object]:
        """All of it, as `--json` prints it."""
        return asdict(self)


def prune(project: Project, dry_run: bool = False, say: Say = silent) -> Pruned:
    """Delete what is older than the limits; a server that does not answer is left out.

    Interrupted, it goes on where it was when it is called again.

    Raises:
        Problem: pyproject.toml or prefect.yaml has faults.
    """
    kept = limits.read()
    started_here = SERVER.process() is not None and SERVER.serves == project.api_url
    done = Pruned(dry_run, whole_server=started_here)
    old = leftovers.quarantine(limits.ago(kept.quarantine_days))
    done.quarantine = [_shown(path) for path in old]
    folders = leftovers.work_folders(limits.ago(kept.work_folders_days))
    done.work_folders = [_shown(path) for path in folders]
    if not dry_run:
        leftovers.remove([*old, *folders])
    try:
        with services.connected(project) as client:
            _prune_server(client, limits.ago(kept.runs_days), done, say)
    except (Problem, httpx.HTTPError) as problem:
        done.server = f"{problem}".partition("\n")[0] or type(problem).__name__
    else:
        if done.whole_server and not dry_run:
            before, after = database.shrink(awaited=done.runs > 0)
            done.database_bytes_before, done.database_bytes_after = before, after
    return done


def tell(done: Pruned, quiet: bool = False) -> None:
    """Print what was deleted; `quiet` prints nothing where there was nothing."""
    verb = "would be deleted" if done.dry_run else "deleted"
    whose = "of any project on this server" if done.whole_server else "of this project"
    lines = [
        (done.runs, f"{done.runs:,} runs {whose}, with {done.artifacts:,} artifacts"),
        (len(done.quarantine), f"{len(done.quarantine):,} quarantine files"),
        (len(done.work_folders), f"{len(done.work_folders):,} folders that killed runs left"),
    ]
    for count, text in lines:
        if count or not quiet:
            show.ok(f"{verb}: {text}")
    freed = done.database_bytes_before - done.database_bytes_after
    if freed > 0:
        show.ok(f"the database is {freed / 1e6:,.1f} MB smaller")
    if done.server and not quiet:
        show.warn(f"runs were left as they are: {done.server}")


def _prune_server(client: SyncPrefectClient, before: datetime, done: Pruned, say: Say) -> None:
    mine = None if done.whole_server else [one.id for one in owning.ours(client)]
    old = [] if mine == [] else _ended(client, before, mine)
    for begin in range(0, len(old), _PAGE):
        some = _with_children(client, before, old[begin : begin + _PAGE], mine)
        done.artifacts += _delete_artifacts(client, some, done.dry_run)
        for run in some:
            if not done.dry_run:
                with suppress(ObjectNotFound):  # the server's own pruning was quicker
                    client.delete_flow_run(run)
            done.runs += 1
            say(f"old runs: {done.runs:,} of at least {len(old):,}")


def _ended(
    client: SyncPrefectClient, before: datetime, deployments: list[UUID] | None
) -> list[UUID]:
    """The runs that ended before that moment, oldest first; without `deployments`, all of them.

    Runs that another run started are not among them: they go with that one.
    """
    which = _over(before)
    which.parent_task_run_id = FlowRunFilterParentTaskRunId(is_null_=True)
    only = paging.of(deployments) if deployments else None
    oldest_first = FlowRunSort.START_TIME_ASC
    return [run.id for run in paging.flow_runs(client, which, only, oldest_first)]


def _over(before: datetime) -> FlowRunFilter:
    which = paging.in_states(list(TERMINAL_STATES))
    which.end_time = FlowRunFilterEndTime(before_=before)
    return which


def _with_children(
    client: SyncPrefectClient, before: datetime, runs: list[UUID], deployments: list[UUID] | None
) -> list[UUID]:
    """The runs, and ahead of them those that they have started, and theirs, that are as old.

    A run may start runs of others' deployments: where `deployments` are given, those stay, and
    so does all that has not ended or is younger. It is nobody's child once its parent has gone.
    """
    if not runs:
        return []
    which = _over(before)
    which.parent_flow_run_id = FlowRunFilterParentFlowRunId(any_=runs)
    children = [
        run.id
        for run in paging.flow_runs(client, which)
        if deployments is None or run.deployment_id is None or run.deployment_id in deployments
    ]
    return [*_with_children(client, before, children, deployments), *runs]


def _delete_artifacts(client: SyncPrefectClient, runs: list[UUID], dry_run: bool) -> int:
    """Prefect leaves a deleted run's artifacts behind."""
    which = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=runs))
    count = 0
    while page := client.read_artifacts(
        artifact_filter=which, limit=_PAGE, offset=count if dry_run else 0
    ):
        for artifact in page:
            count += 1
            if not dry_run:
                with suppress(ObjectNotFound):
                    client.delete_artifact(artifact.id)
    return count


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
