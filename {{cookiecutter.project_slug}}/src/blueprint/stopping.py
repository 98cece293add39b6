"""`blueprint down`: stops what this project started, and nothing that others use."""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress
from dataclasses import replace

import httpx
import psutil
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError

from blueprint import deploying, draining, ended, limits, paging, readiness, services, show
from blueprint.processes import SERVER, UP, WORKER, Supervised, belongs_to, end, runs_of
from blueprint.project import Problem, Project, mark

_SLACK = draining.GRACE + 30
"""Seconds that a worker has after the limit: its runs end and are reported in them."""


def down(project: Project, limit: int | None = None) -> None:
    """Drain and stop the worker, then stop the server, as far as this project started them.

    Both stay up while another project's run is in the worker's hands, and the server while
    another project's worker or run uses it.

    Args:
        project: the project.
        limit: seconds that runs in hand are given to end; None for `drain_seconds`.
    """
    show.heading("Down")
    limit = limits.read().drain_seconds if limit is None else limit
    for other in (WORKER, SERVER):
        _tell_of_another(other)
    in_hand = runs_of(services.worker_name()) if WORKER.by == UP else {}
    if WORKER.ours() is None and SERVER.ours() is None and not in_hand:
        show.ok("nothing runs that this project started with `blueprint up`")
        return
    # The settings may have changed since the server was started.
    there = replace(project, api_url=SERVER.serves or project.api_url)
    with ExitStack() as stack:
        client: SyncPrefectClient | None = None
        try:
            client = stack.enter_context(services.connected(there))
        except (Problem, httpx.HTTPError) as error:
            reason = str(error).splitlines()[0]
            show.warn(f"stopping without asking the server who uses it: {reason}")
        # Also where none runs: one that was killed may have left runs that show as Running.
        if WORKER.by == UP and not stop_worker(client, limit):
            return
        if SERVER.ours() is not None:
            _stop_server(client, there)


def _tell_of_another(what: Supervised) -> None:
    process = what.process()
    if process is None or what.by == UP:
        return
    command = readiness.stop_command(what)
    show.warn(
        f"the {what.role} (process {process.pid}) was started by {what.by} and is left alone; "
        f"stop it there{f': {command}' if command else ''}"
    )


def stop_worker(client: SyncPrefectClient | None, limit: int) -> bool:
    """Drain and stop the worker that `blueprint up` started, and report what became of its runs.

    Whether it has ended: not while it has a run of another project.
    """
    name, pool, had = services.worker_name(), WORKER.serves, WORKER.ours() is not None
    if process := WORKER.ours():
        with suppress(psutil.NoSuchProcess):  # it has just ended by itself
            draining.ask(process, limit)
    seen = _drained(name, limit)
    in_hand = runs_of(name)
    if foreign := [run for run, of in in_hand.items() if not belongs_to(mark(), of)]:
        names = ", ".join(ended.names(client, foreign))
        show.warn(
            f"the worker has runs of other projects in hand, {names}. It takes no new run and ends "
            "by itself when they have ended; the server stays up so long. Then: `blueprint down`"
        )
        return False
    WORKER.stop()  # by now only one that does not answer
    end([one for of in in_hand.values() for one in of], 5)
    if had:
        show.ok("the worker is stopped")
    if client:
        if pool:
            services.forget(client, pool)
        ended.report(client, name, seen)
    return True


def _drained(name: str, limit: int) -> set[str]:
    """Wait until the worker and its runs have ended, as far as they do; the runs that there were.

    The worker itself ends runs that are over the limit. Where it is gone, killed, its runs go on
    without it, and are ended here.
    """
    began = time.monotonic()
    seen: set[str] = set()
    told: set[psutil.Process] = set()
    while True:
        in_hand = runs_of(name)
        waited = time.monotonic() - began
        mine = {run: of for run, of in in_hand.items() if belongs_to(mark(), of)}
        if new := in_hand.keys() - seen:
            seen |= new
            show.doing(
                f"the worker takes no new run; waiting up to {limit} s for the {len(in_hand)} "
                "that it has in hand (`blueprint down --limit 0` ends them at once)"
            )
        gone = WORKER.ours() is None
        if (gone and not in_hand) or waited > limit + _SLACK:
            return seen
        if waited > limit and not mine and in_hand:
            return seen
        if waited > limit and gone:
            left = {one for of in mine.values() for one in of} - told
            told |= left
            end(list(left), draining.GRACE)
        time.sleep(0.5)


def _stop_server(client: SyncPrefectClient | None, there: Project) -> None:
    users = [*_left_alone(), *(_other_users(client) if client else [])]
    if users:
        show.warn(
            f"the server at {there.api_url} stays up, since others use it: {', '.join(users)}"
        )
        return
    SERVER.stop()
    show.ok("the server is stopped")


def _left_alone() -> list[str]:
    """This project's worker and its runs, where it was not for `down` to stop them."""
    if WORKER.by == UP:
        return []
    process, name = WORKER.process(), services.worker_name()
    worker = [f"this project's worker, started by {WORKER.by}"] if process else []
    return worker + [f"run {run} of this project's worker" for run in runs_of(name)]


def _is_mine(client: SyncPrefectClient, run: FlowRun) -> bool:
    if run.deployment_id is None:
        return False
    try:
        return deploying.owner(client.read_deployment(run.deployment_id)) == mark()
    except ObjectNotFound:  # the deployment was deleted while the run went on
        return False


def _other_users(client: SyncPrefectClient) -> list[str]:
    """Workers and runs of others that would lose the server."""
    try:
        users = [
            f"worker {worker.name}"
            for pool in client.read_work_pools()
            for worker in services.online_workers(client, pool.name, but=services.worker_name())
        ]
        runs = list(paging.flow_runs(client, paging.in_states(paging.ACTIVE)))
    except (PrefectHTTPStatusError, httpx.HTTPError) as error:
        raise Problem(
            f"Whether others use the server cannot be told ({error}), so it stays up.\n"
            "Try again; its log is in .blueprint/logs/server.log."
        ) from None
    return users + [f"run {run.name}" for run in runs if not _is_mine(client, run)]
