"""How a run is waited for: patience where no worker takes it, and none needed where it queues."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import AwaitingConcurrencySlot, Completed, Running, Scheduled

from blueprint import runs
from blueprint.triggering import CODES


class Server:
    """What `runs.wait` asks of a client; it gives the states in turn, and the last ever after."""

    def __init__(self, *states: State[Any]) -> None:
        self.states, self.asked = states, 0
        self.set_to: State[Any] | None = None

    def read_flow_run(self, flow_run_id: UUID) -> FlowRun:
        state = self.states[min(self.asked, len(self.states) - 1)]
        self.asked += 1
        return run(state)

    def set_flow_run_state(self, flow_run_id: UUID, state: State[Any], force: bool) -> None:
        self.set_to = state


def run(state: State[Any]) -> FlowRun:
    return FlowRun(
        id=uuid4(), flow_id=uuid4(), name="otter", state=state,
        state_type=state.type, state_name=state.name,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10**6))
    time = SimpleNamespace(monotonic=lambda: 10.0 * next(clock), sleep=lambda _: None)
    monkeypatch.setattr(runs, "time", time)


def wait(server: Any) -> FlowRun:
    return runs.wait(server, run(Scheduled()), "a pool")


def test_a_run_that_no_worker_takes_is_cancelled_and_said_to_be() -> None:
    server = Server(Scheduled())
    with pytest.raises(runs.NotTaken, match="no worker took it") as raised:
        wait(server)
    assert raised.value.code == 5
    assert server.set_to is not None and server.set_to.is_cancelled()


def test_a_run_that_waits_for_another_one_is_waited_for_as_long_as_it_takes() -> None:
    waiting = [AwaitingConcurrencySlot()] * 100
    server = Server(Scheduled(), *waiting, Running(), Completed())
    assert wait(server).state_name == "Completed"
    assert server.set_to is None


def test_each_end_has_an_exit_code_of_its_own() -> None:
    assert sorted(CODES.values()) == [0, 2, 3, 4]
    assert runs.NotTaken.code not in CODES.values()
