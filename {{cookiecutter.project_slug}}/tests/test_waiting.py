"""How a run is waited for: patience where no worker takes it, and none needed where it queues."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, ClassVar, cast
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.client.schemas.objects import FlowRun, Log, State
from prefect.states import (
    AwaitingConcurrencySlot,
    AwaitingRetry,
    Completed,
    Late,
    Pending,
    Running,
    Scheduled,
)

from blueprint import runs, triggering
from blueprint.triggering import CODES


class Server:
    """What `runs.wait` asks of a client; it gives the states in turn, and the last ever after."""

    def __init__(self, *states: State[Any]) -> None:
        self.states, self.asked = states, 0
        self.pool = SimpleNamespace(concurrency_limit=None, active_slots=None)
        self.queue = SimpleNamespace(name="default", concurrency_limit=None, active_slots=None)
        self.set_to: State[Any] | None = None

    def read_flow_run(self, flow_run_id: UUID) -> FlowRun:
        state = self.states[min(self.asked, len(self.states) - 1)]
        self.asked += 1
        return run(state)

    def read_work_pool(self, name: str) -> SimpleNamespace:
        return self.pool

    def read_work_queues(self, work_pool_name: str) -> list[SimpleNamespace]:
        return [self.queue]

    def set_flow_run_state(self, flow_run_id: UUID, state: State[Any], force: bool) -> None:
        self.set_to = state


def run(state: State[Any]) -> FlowRun:
    return FlowRun(
        id=uuid4(), flow_id=uuid4(), name="otter", state=state,
        state_type=state.type, state_name=state.name, work_queue_name="default",
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


@pytest.mark.parametrize("state", [AwaitingRetry(), Pending()])
def test_a_run_that_a_worker_took_is_never_cancelled(state: State[Any]) -> None:
    server = Server(Scheduled(), *[state] * 100, Running(), Completed())
    assert wait(server).state_name == "Completed"
    assert server.set_to is None


@pytest.mark.parametrize("what", ["pool", "queue"])
def test_a_run_is_waited_for_while_its_pool_or_queue_is_full(
    what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server = Server(Scheduled(), *[Late()] * 100, Running(), Completed())
    full = server.pool if what == "pool" else server.queue
    full.concurrency_limit = full.active_slots = 2
    assert wait(server).state_name == "Completed"
    assert server.set_to is None
    assert f"since the {what} " in capsys.readouterr().out


@pytest.mark.parametrize(("limit", "active"), [(2, 1), (0, 0)])
def test_a_pool_with_a_free_slot_or_with_none_at_all_is_not_waited_for(
    limit: int, active: int
) -> None:
    server = Server(Late())
    server.pool.concurrency_limit, server.pool.active_slots = limit, active
    with pytest.raises(runs.NotTaken):
        wait(server)


def test_what_a_person_is_to_type_works_as_it_stands() -> None:
    with pytest.raises(runs.NotTaken) as raised:
        runs.wait(cast("Any", Server(Late())), run(Late()), "it's a pool")
    assert '.venv/bin/prefect worker start --pool "it\'s a pool"' in str(raised.value)
    with (
        pytest.raises(triggering.Unwatched, match=r"To end it: .venv/bin/prefect flow-run"),
        triggering._watched(run(Running()), "http://ui"),
    ):
        raise KeyboardInterrupt


def test_a_server_that_is_lost_is_told_of_as_such_and_not_as_no_run() -> None:
    with (
        pytest.raises(triggering.Lost, match="was made, and then the server was lost") as raised,
        triggering._watched(run(Running()), "http://ui"),
    ):
        raise httpx.ConnectError("refused")
    assert raised.value.code not in {1, 130, *CODES.values(), runs.NotTaken.code}


def test_the_log_goes_on_where_a_page_of_it_is_known_already(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Logs:
        lines: ClassVar[list[Log]] = []

        def read_logs(self, asked: Any, limit: int, sort: Any, offset: int = 0) -> list[Log]:
            since = asked.timestamp.after_
            found = [one for one in self.lines if not since or one.timestamp >= since]
            return found[offset : offset + min(limit, 200)]

    began, logs = datetime(2026, 11, 25, tzinfo=UTC), Logs()
    following = triggering._Following(cast("Any", logs), uuid4())
    for number in range(500):
        at = began + timedelta(milliseconds=number)
        logs.lines.append(
            Log(id=uuid4(), name="x", level=20, message=f"line {number}", timestamp=at)
        )
        if number % 100 == 0:
            following(run(Running()), "")
    following(run(Running()), "")
    printed = capsys.readouterr().out
    assert all(printed.count(f"line {number}\n") == 1 for number in range(500))


def test_each_end_has_an_exit_code_of_its_own() -> None:
    assert sorted(CODES.values()) == [0, 2, 3, 4]
    assert runs.NotTaken.code not in CODES.values()
