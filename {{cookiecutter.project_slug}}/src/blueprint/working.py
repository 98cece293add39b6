"""This project's worker: Prefect's process worker, which drains before it ends.

`prefect worker start` has no end in which its runs are let to theirs. Here Prefect's worker is
driven by its two loops, as its own `start` does it; once asked, both end, and leaving its context
waits for the runs in hand, as Prefect's own worker does it.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

import anyio
import psutil
from prefect.logging.configuration import setup_logging
from prefect.settings import get_current_settings
from prefect.utilities.services import critical_service_loop
from prefect.workers.process import ProcessWorker

from blueprint import draining, limits
from blueprint.processes import belongs_to, end, runs_of
from blueprint.project import mark

_LOOK = 0.5  # seconds between two looks whether it shall end
_PRUNE = 24 * 60 * 60
_BREATH = 30  # seconds before a server that did not answer for minutes is asked again


class _Stop:
    """Whether the worker was asked to end, by a signal or by `blueprint down`."""

    def __init__(self) -> None:
        self._signals = 0
        for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self._signalled)

    def _signalled(self, *_: object) -> None:
        self._signals += 1

    def limit(self) -> int | None:
        """Seconds that the runs have; None while nobody asked. A second signal ends them now."""
        if self._signals > 1:
            return 0
        asked = draining.asked(psutil.Process())
        if asked is None and self._signals:
            return limits.read().drain_seconds
        return asked

    async def wait(self) -> None:
        """Return once somebody asked."""
        while self.limit() is None:
            await anyio.sleep(_LOOK)


def work(pool: str, name: str) -> None:
    """Serve the pool under that name until asked to end, and the runs have ended."""
    setup_logging()
    anyio.run(_work, pool, name)


async def _work(pool: str, name: str) -> None:
    stop = _Stop()
    settings = get_current_settings().worker
    worker = ProcessWorker(
        work_pool_name=pool,
        name=name,
        prefetch_seconds=settings.prefetch_seconds,
        heartbeat_interval_seconds=int(settings.heartbeat_seconds),
    )
    async with anyio.create_task_group() as around:
        async with worker:
            # What makes the UI's feed say that a worker has started, and later that it stopped.
            worker._started_event = await worker._emit_worker_started_event()
            async with anyio.create_task_group() as loops:
                poll, sync = worker.get_and_submit_flow_runs, worker.sync_with_backend
                loops.start_soon(_steadily, poll, settings.query_seconds)
                loops.start_soon(_steadily, sync, worker.heartbeat_interval_seconds)
                loops.start_soon(_prune_daily)
                print(f"Worker {name!r} started!", flush=True)
                await stop.wait()
                loops.cancel_scope.cancel()
            print(f"Worker {name!r} takes no new run and ends after those in hand.", flush=True)
            around.start_soon(_end_runs, stop, name)
        around.cancel_scope.cancel()
    print(f"Worker {name!r} stopped!", flush=True)


async def _steadily(workload: Callable[[], Coroutine[Any, Any, object]], interval: float) -> None:
    """Prefect's loop, begun again where it gives up: on a server that is away for some minutes,
    or refuses a key that was changed. The runs in hand would end with the worker."""
    while True:
        try:
            loop = partial(critical_service_loop, workload, interval, jitter_range=0.3, backoff=4)
            await loop(printer=partial(print, flush=True))
        except Exception as error:
            print(f"{type(error).__name__}: {error} Trying again in {_BREATH} s.", flush=True)
        await anyio.sleep(_BREATH)


async def _prune_daily() -> None:
    while True:
        await anyio.sleep(_PRUNE)
        command = [sys.executable, "-m", "blueprint", "prune"]
        with suppress(OSError):
            process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.DEVNULL)
            await process.wait()


async def _end_runs(stop: _Stop, name: str) -> None:
    """End this project's runs that are over the limit; those of others end by themselves.

    An ended run's process tells the server itself that it crashed, or this worker does it.
    """
    began = time.monotonic()
    told: dict[int, float] = {}
    while True:
        await anyio.sleep(_LOOK)
        limit = stop.limit()
        if limit is None or time.monotonic() - began < limit:
            continue
        mine = psutil.Process().children(recursive=True)
        for run, processes in runs_of(name).items():
            # A worker that `blueprint up` has started meanwhile has the same name.
            if belongs_to(mark(), processes):
                for one in set(processes) & set(mine):
                    _end_gently(one, run, told)


def _end_gently(one: psutil.Process, run: str, told: dict[int, float]) -> None:
    now = time.monotonic()
    if one.pid not in told:
        told[one.pid] = now
        print(f"Ending the run {run}: it is over the limit.", flush=True)
        with suppress(psutil.Error):
            one.terminate()
    elif now - told[one.pid] > draining.GRACE:
        end([one], 0)
