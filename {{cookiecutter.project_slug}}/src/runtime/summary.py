"""A run's summary as a Prefect artifact: shown in the UI, and read back exactly."""

import json
from uuid import UUID

from prefect.artifacts import create_table_artifact
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    ArtifactFilterKey,
)
from prefect.client.schemas.sorting import ArtifactSort

from ingest.summary import RunSummary

KEY = "run-summary"


def publish(summary: RunSummary) -> None:
    """Attach the summary to the flow run that this is called in."""
    table = [{"fact": name, "value": value} for name, value in summary.model_dump().items()]
    create_table_artifact(table=table, key=KEY, description=summary.sentence())


def read(client: SyncPrefectClient, flow_run_id: UUID | str) -> RunSummary | None:
    """The summary that the run published, or None where it has none."""
    found = client.read_artifacts(
        artifact_filter=ArtifactFilter(
            key=ArtifactFilterKey(any_=[KEY]),
            flow_run_id=ArtifactFilterFlowRunId(any_=[UUID(str(flow_run_id))]),
        ),
        sort=ArtifactSort.CREATED_DESC,
        limit=1,
    )
    if not found:
        return None
    rows = json.loads(str(found[0].data))  # the API keeps a table as JSON text
    return RunSummary.model_validate({row["fact"]: row["value"] for row in rows})
