"""A run's summary as Prefect artifacts: shown in the UI, and read back exactly.

Each run leaves two: a page for people and a table for programs, under keys of its own
deployment, so that the UI's Artifacts page shows the history of one pipeline under each.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    ArtifactFilterKey,
    ArtifactFilterType,
)
from prefect.client.schemas.objects import Artifact
from prefect.client.schemas.sorting import ArtifactSort
from prefect.runtime import flow_run
from pydantic import ValidationError

from ingest.summary import RunSummary
from runtime.markdown import page
from runtime.work import deployment_of_this_run

CHARTED = 12  # runs in the chart
_PAGE, _FACTS = "summary", "facts"


def artifact_key(flow_name: str, deployment_name: str | None, kind: str) -> str:
    """The key of one kind of artifact of a deployment, or of the flow's runs without one.

    Keys are global to a server, and flow and deployment names are too: so two projects that
    share a server do not mix.
    """
    return f"{_slug(flow_name)}--{_slug(deployment_name or 'local')}--{kind}"


def key_of_this_run(kind: str) -> str:
    """The key of one kind of artifact of the run that this is called in."""
    return artifact_key(str(flow_run.flow_name), deployment_of_this_run()[1], kind)


def publish(summary: RunSummary) -> None:
    """Attach the summary to the flow run that this is called in."""
    facts_key = key_of_this_run(_FACTS)
    table = [
        {"fact": name, "value": value} for name, value in summary.model_dump(mode="json").items()
    ]
    with get_client(sync_client=True) as client:
        # Runs into another target, such as those of a test, would be no measure for this one.
        alike = [
            one
            for one in history(client, facts_key, 3 * CHARTED)
            if (one.target, one.table) == (summary.target, summary.table)
        ]
        last = [*reversed(alike[: CHARTED - 1]), summary]
        for key, kind, data in (
            (facts_key, "table", json.dumps(table)),
            (key_of_this_run(_PAGE), "markdown", page(summary, last)),
        ):
            client.create_artifact(
                ArtifactCreate(
                    key=key,
                    type=kind,
                    description=summary.sentence(),
                    data=data,
                    flow_run_id=UUID(str(flow_run.id)),
                )
            )


def read(client: SyncPrefectClient, flow_run_id: UUID | str) -> RunSummary | None:
    """The summary that the run published last, or None where it has none."""
    wanted = UUID(str(flow_run_id))
    return read_all(client, [wanted]).get(wanted)


def read_all(client: SyncPrefectClient, flow_run_ids: Iterable[UUID]) -> dict[UUID, RunSummary]:
    """The summaries of several runs, for those that published one."""
    wanted = list(flow_run_ids)
    if not wanted:
        return {}
    found = client.read_artifacts(
        artifact_filter=ArtifactFilter(
            key=ArtifactFilterKey(like_=f"%--{_FACTS}"),
            type=ArtifactFilterType(any_=["table"]),
            flow_run_id=ArtifactFilterFlowRunId(any_=wanted),
        ),
        sort=ArtifactSort.CREATED_DESC,
    )
    summaries: dict[UUID, RunSummary] = {}
    for artifact in reversed(found):  # of two attempts of one run, the later one counts
        summary = _parsed(artifact)
        if artifact.flow_run_id and summary:
            summaries[artifact.flow_run_id] = summary
    return summaries


def history(client: SyncPrefectClient, facts_key: str, most: int) -> list[RunSummary]:
    """The last summaries under a key, the newest first."""
    found = client.read_artifacts(
        artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[facts_key])),
        sort=ArtifactSort.CREATED_DESC,
        limit=most,
    )
    return [summary for summary in map(_parsed, found) if summary]


def _parsed(artifact: Artifact) -> RunSummary | None:
    """The summary in an artifact; None for what another version of the template wrote."""
    try:
        rows = json.loads(str(artifact.data))  # the API keeps a table as JSON text
        return RunSummary.model_validate({row["fact"]: row["value"] for row in rows})
    except (ValueError, TypeError, KeyError, ValidationError):
        return None


def _slug(name: str) -> str:
    """A name in the letters that a key may have; a mark is added where that loses some."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 _-]*", name):
        return slug
    return f"{slug}-{hashlib.sha256(name.encode()).hexdigest()[:6]}".lstrip("-")
