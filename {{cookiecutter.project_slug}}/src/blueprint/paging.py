"""The flow runs that a filter finds, however many: the server gives 200 at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort

PAGE = 200
"""How many runs a server gives at once."""
ACTIVE = (StateType.RUNNING, StateType.PENDING, StateType.CANCELLING)
"""The types of the states in which a run is in a worker's hands."""


def flow_runs(
    client: SyncPrefectClient,
    which: FlowRunFilter,
    only: DeploymentFilter | None = None,
    sort: FlowRunSort = FlowRunSort.ID_DESC,
) -> Iterator[FlowRun]:
    """Every run that the filters find, page by page."""
    offset = 0
    while page := client.read_flow_runs(
        flow_run_filter=which,
        deployment_filter=only,
        sort=sort,
        limit=PAGE,
        offset=offset,
    ):
        yield from page
        if len(page) < PAGE:
            return
        offset += PAGE


def in_states(states: Sequence[StateType]) -> FlowRunFilter:
    """The runs in a state of one of these types."""
    return FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(states))))


def of(deployments: Sequence[UUID]) -> DeploymentFilter:
    """The runs of the deployments with these ids."""
    return DeploymentFilter(id=DeploymentFilterId(any_=list(deployments)))
