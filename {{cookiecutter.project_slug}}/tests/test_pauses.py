"""A pause outlives a deploy under another name and one that is cut off; so do runs that wait."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound
from prefect.states import Scheduled

from blueprint import pauses, pools


@dataclass
class Schedule:
    slug: str
    active: bool
    id: UUID = field(default_factory=uuid4)


@dataclass
class Deployment:
    name: str
    paused: bool = False
    schedules: list[Schedule] = field(default_factory=list)

    @property
    def id(self) -> str:
        return self.name


class Server:
    """What `pauses` asks of a client."""

    def __init__(self, *held: Deployment) -> None:
        self.held = {one.name: one for one in held}

    def read_deployment_by_name(self, name: str) -> Deployment:
        if name not in self.held:
            raise ObjectNotFound(http_exc=Exception("404"))
        return self.held[name]

    def read_deployment_schedules(self, name: str) -> list[Schedule]:
        return self.held[name].schedules

    def update_deployment_schedule(self, name: str, schedule_id: UUID, active: bool) -> None:
        for one in self.held[name].schedules:
            if one.id == schedule_id:
                one.active = active

    def pause_deployment(self, name: str) -> None:
        self.held[name].paused = True


def kept(server: Any, wanted: dict[str, Any], before: Any, *old: Any) -> Any:
    by_name: Any = {one.name: one for one in old}
    return pauses.kept(server, [wanted], lambda one: one["name"], {wanted["name"]: before}, by_name)


CUT_OFF = pytest.mark.parametrize("cut_off", [None, KeyboardInterrupt, RuntimeError])


def end(cut_off: type[BaseException] | None) -> None:
    if cut_off:
        raise cut_off


def ends(cut_off: type[BaseException] | None) -> Any:
    return pytest.raises(cut_off) if cut_off else nullcontext()


@CUT_OFF
@pytest.mark.parametrize(
    "old", [Deployment("old", paused=True), Deployment("old", schedules=[Schedule("s", False)])]
)
def test_a_deployment_that_replaces_a_paused_one_is_paused(
    old: Deployment, cut_off: type[BaseException] | None
) -> None:
    server = Server(old)
    with ends(cut_off), kept(server, {"name": "new"}, None, old):
        server.held["new"] = Deployment("new")
        end(cut_off)
    assert server.held["new"].paused


@CUT_OFF
def test_a_pause_that_prefect_deploy_has_taken_away_is_back(
    cut_off: type[BaseException] | None,
) -> None:
    server = Server(Deployment("etl"))
    with ends(cut_off), kept(server, {"name": "etl"}, Deployment("etl", paused=True)):
        end(cut_off)
    assert server.held["etl"].paused


@CUT_OFF
def test_a_schedule_that_replaces_a_paused_one_is_paused(
    cut_off: type[BaseException] | None,
) -> None:
    before = Deployment("etl", schedules=[Schedule("old", False), Schedule("other", True)])
    server = Server(Deployment("etl", schedules=[*before.schedules]))
    wanted = {"name": "etl", "schedules": [{"slug": "new"}, {"slug": "other"}]}
    with ends(cut_off), kept(server, wanted, before):
        server.held["etl"].schedules.append(Schedule("new", True))
        end(cut_off)
    active = {one.slug: one.active for one in server.held["etl"].schedules}
    assert active == {"old": False, "other": True, "new": False}


def test_what_was_not_paused_is_not_paused_by_a_deploy() -> None:
    old = Deployment("old", schedules=[Schedule("s", True)])
    server = Server(old, Deployment("etl", schedules=[Schedule("t", True)]))
    with kept(server, {"name": "new"}, None, old):
        server.held["new"] = Deployment("new", schedules=[Schedule("s", True)])
    assert not server.held["new"].paused and server.held["new"].schedules[0].active


def test_where_the_server_is_lost_too_the_first_fault_is_told() -> None:
    server: Any = Server()

    def lost(name: str) -> None:
        raise httpx.ConnectError("refused")

    server.read_deployment_by_name = lost
    with pytest.raises(RuntimeError), kept(server, {"name": "etl"}, None):
        raise RuntimeError


def test_all_runs_that_wait_follow_the_deployment_into_its_pool() -> None:
    """A server gives 200 at once."""

    class Runs:
        def __init__(self) -> None:
            state = Scheduled()
            self.held = [
                FlowRun(
                    id=uuid4(), flow_id=uuid4(), name=f"run-{number}", state=state,
                    work_pool_name="old",
                )
                for number in range(450)
            ]  # fmt: skip
            self.moved: list[str] = []

        def read_flow_runs(self, limit: int = 200, offset: int = 0, **_: Any) -> list[FlowRun]:
            return self.held[offset : offset + min(limit, 200)]

        def create_flow_run_from_deployment(self, _: Any, name: str, **__: Any) -> None:
            self.moved.append(name)

        def delete_flow_run(self, run_id: UUID) -> None:
            self.held = [one for one in self.held if one.id != run_id]

    server: Any = Runs()
    deployment: Any = SimpleNamespace(id=uuid4(), work_pool_name="new")
    pools.follow_the_pool(server, deployment)
    assert (len(set(server.moved)), server.held) == (450, [])
