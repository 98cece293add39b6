"""Judges the facts: each fault in words that a person can look up, with what mends it."""

from __future__ import annotations

from datetime import datetime, timedelta

from blueprint.checking.facts import Deployment, Facts, Pool, Run, Server
from blueprint.checking.progress import next_command, phases_of
from blueprint.checking.verdict import BLUEPRINT, PREFECT, Finding, Verdict, quoted
from blueprint.environment import COMMAND as MEND_ENVIRONMENT

LEAST_FREE = 1_000_000_000
"""Bytes of disk below which a load may well fail."""
_UP = f"{BLUEPRINT} up"
_DEPLOY = "scripts/phase2_execute.sh"
_LINE_UP = timedelta(minutes=2)
"""The server's scheduler looks once a minute."""
_FAILED = ("FAILED", "CRASHED")
_MOST = 3  # differences that are shown


def judge(facts: Facts) -> Verdict:
    """What is wrong, the worst first: what stands above may well be the reason of the rest."""
    wrong = [*_environment(facts), *_settings(facts)]
    blocked = bool(wrong)
    wrong += server_faults(facts.server)
    notes: list[Finding] = []
    for pool in facts.pools:
        wrong += _pool(pool)
    for one in facts.deployments:
        wrong += _deployment(one, facts)
    for pool in facts.pools:
        # `blueprint up` starts a worker for the first one alone.
        alone = f"{PREFECT} worker start --pool {quoted(pool.name)}"
        serve = _UP if pool is facts.pools[0] else alone
        wrong += _workers(pool, facts.deployments, serve)
    for one in facts.deployments:
        wrong += _last_run(one, one is facts.deployments[0])
        notes += _paused(one)
    wrong += _disk(facts)
    phases = phases_of(facts, blocked)
    return Verdict(wrong, notes, phases, next_command(facts, phases, wrong, blocked))


def _environment(facts: Facts) -> list[Finding]:
    faults = facts.environment.faults
    if not faults:
        return []
    more = f", and {len(faults) - _MOST} more" if len(faults) > _MOST else ""
    listed = "; ".join(faults[:_MOST]) + more
    return [Finding(f"The environment is not what its locks say: {listed}.", MEND_ENVIRONMENT)]


def _settings(facts: Facts) -> list[Finding]:
    return [Finding(problem, "scripts/validate_setup.sh") for problem in facts.problems]


def server_faults(server: Server) -> list[Finding]:
    """What is wrong with the server, if anything."""
    there = f"at {server.url}"
    log = f"{BLUEPRINT} logs server"
    reach = "Is the address in prefect.toml right, and can this machine reach it?"
    found = {
        "refused": (
            f"Connection refused: the server is not running, so nothing answers {there}."
            if server.local
            else f"Connection refused: nothing answers {there}. {reach}",
            _UP if server.local else "scripts/validate_install.sh",
        ),
        "unreachable": (
            f"No Prefect server answers {there} ({server.reason}). {reach}",
            _UP if server.local else "scripts/validate_install.sh",
        ),
        "starting": (f"The server {there} is started and does not answer yet.", _UP),
        "no-prefect": (
            f"The port of {server.url} is taken by {server.reason}, which is no Prefect server. End it, "
            "or give this project another port ([api] url and [server.api] port in prefect.toml).",
            _UP,
        ),
        "denied": (server.reason, "edit .env (see .env.example), then: scripts/check_status.sh"),
        "failing": (f"The server {there} answers with an error: {server.reason}.", log),
    }
    return [Finding(*found[server.state])] if server.state in found else []


def _pool(pool: Pool) -> list[Finding]:
    name = quoted(pool.name)
    if not pool.found:
        return [Finding(f"Work pool not found: the server has no {pool.name!r}.", _UP)]
    if pool.paused:
        what = f"The work pool {pool.name!r} is paused: it starts no run."
        return [Finding(what, f"{PREFECT} work-pool resume {name}")]
    return [
        Finding(
            f"The work queue {queue.name!r} of the pool {pool.name!r} is paused: it starts no run.",
            f"{PREFECT} work-queue resume {quoted(queue.name)} --pool {name}",
        )
        for queue in pool.queues
        if queue.paused
    ]


def _deployment(one: Deployment, facts: Facts) -> list[Finding]:
    """Whether it is there, ours, as the manifest says, and has runs lined up."""
    if one.missing:
        what, _, rest = one.missing.partition("\n")
        if what.startswith("Deployment not found"):
            return [Finding(f"{what} Phase 2 deploys it.", _DEPLOY)]
        if "cannot be loaded" in what:
            module = what.partition(":")[0].replace(".", "/")
            return [Finding(what, f"edit src/{module}.py, then: scripts/validate_setup.sh")]
        return [Finding(f"{what}\n{rest}", f"edit prefect.yaml, then: {_DEPLOY}")]
    found = []
    if one.differences:
        more = len(one.differences) - _MOST
        listed = "; ".join(one.differences[:_MOST]) + (f"; and {more} more" if more > 0 else "")
        what = f"The server does not hold what prefect.yaml says: {listed}."
        found.append(Finding(what, _DEPLOY))
    fires = not one.paused and any(schedule.active for schedule in one.schedules)
    settled = one.changed is None or facts.at - one.changed > _LINE_UP
    if fires and not one.upcoming and settled:
        what = (
            f"The schedule of {one.name} is active, and the server has lined up no run: its scheduler "
            "does not work. Do the server's packages fit requirements.lock?"
        )
        found.append(Finding(what, "scripts/validate_install.sh"))
    return found


def _workers(pool: Pool, deployments: list[Deployment], serve: str) -> list[Finding]:
    """Runs that nobody takes, and why; or that there is nobody to take one.

    serve: the command that starts a worker for the pool.
    """
    if not pool.found or pool.kind.endswith((":push", ":managed")):
        return []
    waiting = [run for one in deployments if one.pool == pool.name for run in one.waiting]
    if not pool.workers:
        if not waiting:
            what = f"No worker serves the work pool {pool.name!r}: a run would stay Scheduled."
            return [Finding(what, serve)]
        why = f"no worker serves the work pool {pool.name!r}"
        return [Finding(_stuck(waiting, why), serve)]
    if not waiting:
        return []
    paused = pool.paused or any(queue.paused for queue in pool.queues)
    full = pool.limit is not None and (pool.running or 0) >= pool.limit
    if paused or full:
        why = "the pool or its queue is paused" if paused else f"the pool runs {pool.limit} at most"
        return [Finding(_stuck(waiting, why), f"{PREFECT} work-pool inspect {quoted(pool.name)}")]
    why = f"the worker {', '.join(pool.workers)} is there and does not take them"
    return [Finding(_stuck(waiting, why), f"{BLUEPRINT} logs worker")]


def _stuck(waiting: list[Run], why: str) -> str:
    state = "Pending" if all(run.state == "Pending" for run in waiting) else "Scheduled"
    first = waiting[0]
    many = f"{len(waiting)} runs are" if len(waiting) > 1 else "1 run is"
    return f"{many} stuck in {state}, since {why}; {first.name} was due at {clock(first.due)}."


def _last_run(one: Deployment, first: bool) -> list[Finding]:
    """The last run that has ended: where it failed, the next one may well fail too."""
    last = next((run for run in one.recent if run.kind not in ("RUNNING", "CANCELLING")), None)
    if last is None or last.kind not in _FAILED:
        return []
    what = (
        f"The last run of {one.name}, {last.name}, ended {last.state}: {last.message}\n"
        f"Put that right and run it again. Its logs: {PREFECT} flow-run logs {last.id}"
    )
    named = "" if first else f" --pipeline {quoted(one.name)}"
    return [Finding(what, f"{BLUEPRINT} run{named}")]


def _paused(one: Deployment) -> list[Finding]:
    """An operator's own doing, so no fault; and yet nothing runs by itself."""
    if one.missing:
        return []
    name = quoted(one.full_name)
    if one.paused:
        what = f"The deployment {one.name} is paused: none of its schedules makes runs."
        return [Finding(what, f"{PREFECT} deployment resume {name}")]
    return [
        Finding(
            f"The schedule {schedule.slug!r} of {one.name} is paused: it makes no runs.",
            f"{PREFECT} deployment schedule resume {name} {schedule.id}",
        )
        for schedule in one.schedules
        if not schedule.active
    ]


def _disk(facts: Facts) -> list[Finding]:
    if facts.disk.free >= LEAST_FREE:
        return []
    what = f"The disk of {facts.folder} is nearly full: {facts.disk.free / 1e6:,.0f} MB are free."
    return [Finding(what, f"{BLUEPRINT} prune")]


def clock(moment: datetime | None) -> str:
    """A moment in this machine's timezone."""
    return f"{moment.astimezone():%a %Y-%m-%d %H:%M %Z}" if moment else "an unknown time"
