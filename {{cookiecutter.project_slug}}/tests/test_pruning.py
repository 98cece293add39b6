"""`blueprint prune` on a server: old runs with those that they started, and nobody else's."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import StateType

from blueprint import owning, pruning
from ingest.say import silent

OURS, THEIRS = uuid4(), uuid4()
OLD, NEW = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
LIMIT = datetime(2026, 3, 1, tzinfo=UTC)


class Server:
    """A client whose server holds runs, and finds them as a filter of this project asks."""

    def __init__(self) -> None:
        self.runs: list[Any] = []

    def add(
        self,
        deployment: UUID | None,
        parent: Any = None,
        state: StateType = StateType.COMPLETED,
        ended: datetime | None = OLD,
    ) -> Any:
        one = SimpleNamespace(
            id=uuid4(), deployment_id=deployment, parent=parent, state=state, ended=ended
        )
        self.runs.append(one)
        return one

    def read_flow_runs(
        self, *, flow_run_filter: FlowRunFilter, deployment_filter: Any, offset: int, **_: Any
    ) -> list[Any]:
        asked = flow_run_filter
        states = asked.state and asked.state.type and asked.state.type.any_
        before = asked.end_time and asked.end_time.before_
        parents = asked.parent_flow_run_id and asked.parent_flow_run_id.any_
        found = [
            one
            for one in self.runs
            if (not states or one.state in states)
            and (not before or (one.ended and one.ended < before))
            and (one.parent is None if parents is None else one.parent and one.parent.id in parents)
            and (deployment_filter is None or one.deployment_id in deployment_filter.id.any_)
        ]
        return found[offset:]

    def read_artifacts(self, **_: Any) -> list[Any]:
        return []

    def delete_flow_run(self, run: UUID) -> None:
        self.runs = [one for one in self.runs if one.id != run]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(owning, "ours", lambda _: [SimpleNamespace(id=OURS)])
    return Server()


def pruned(server: Any, whole_server: bool) -> list[Any]:
    """The runs that are left."""
    done = pruning.Pruned(dry_run=False, whole_server=whole_server)
    pruning._prune_server(server, LIMIT, done, silent)
    return server.runs


def test_the_runs_that_an_old_run_started_go_with_it(server: Server) -> None:
    parent = server.add(OURS)
    child = server.add(None, parent)
    server.add(OURS, child)
    assert pruned(server, whole_server=False) == []


def test_a_run_of_anothers_deployment_stays_although_an_old_run_of_ours_started_it(
    server: Server,
) -> None:
    theirs = server.add(THEIRS, server.add(OURS))
    assert pruned(server, whole_server=False) == [theirs]


@pytest.mark.parametrize("whole_server", [True, False])
def test_a_run_that_goes_on_or_is_young_stays_although_an_old_run_started_it(
    server: Server, whole_server: bool
) -> None:
    parent = server.add(OURS)
    stay = [
        server.add(OURS, parent, StateType.RUNNING, None),
        server.add(None, parent, StateType.PENDING, None),
        server.add(OURS, parent, ended=NEW),
    ]
    assert pruned(server, whole_server) == stay


def test_on_a_server_of_ones_own_the_old_runs_of_all_go(server: Server) -> None:
    server.add(THEIRS, server.add(OURS))
    server.add(THEIRS)
    assert pruned(server, whole_server=True) == []
