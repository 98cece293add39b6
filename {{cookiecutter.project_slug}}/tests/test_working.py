"""This project's worker: asked by a signal it drains, and no server's failure ends its runs."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import psutil
import pytest

from blueprint import draining, limits, working


@pytest.fixture
def stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[working._Stop]:
    monkeypatch.setattr(draining, "_REQUEST", tmp_path / "drain.json")
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield working._Stop()
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_signal_gives_the_runs_their_time_and_a_second_one_ends_them(
    stop: working._Stop,
) -> None:
    assert stop.limit() is None
    os.kill(os.getpid(), signal.SIGTERM)
    assert stop.limit() == limits.read().drain_seconds
    os.kill(os.getpid(), signal.SIGINT)
    assert stop.limit() == 0


def test_what_down_asks_for_counts_from_then_on(stop: working._Stop) -> None:
    draining.ask(psutil.Process(), 7)
    anyio.run(stop.wait)
    assert stop.limit() == 7


def test_a_server_that_fails_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "_BREATH", 0)
    asked = 0

    async def scenario() -> None:
        with anyio.CancelScope() as scope:

            async def workload() -> None:
                nonlocal asked
                asked += 1
                if asked < 4:
                    raise ValueError("another key")
                scope.cancel()

            await working._steadily(workload, 0.01)

    anyio.run(scenario)
    assert asked == 4
