"""Shows the facts and the verdict: what is wrong first; or all of it as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from blueprint import show
from blueprint.checking.facts import Deployment, Facts, Pool, Run
from blueprint.checking.judging import clock
from blueprint.checking.verdict import Verdict

_LONGEST = 60  # characters of a run's message


def as_json(facts: Facts, verdict: Verdict) -> str:
    """The verdict, then every fact; times are ISO 8601 in UTC, sizes bytes."""
    told: dict[str, Any] = {
        "ok": verdict.exit_code == 0,
        "exit_code": verdict.exit_code,
        **asdict(verdict),
        **asdict(facts),
    }
    return json.dumps(told, default=_plain, indent=2)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def print_report(facts: Facts, verdict: Verdict) -> None:
    """What is wrong, the phases and the next command; then a table of facts, then the runs."""
    show.heading(f"{facts.project} in {facts.folder}")
    for one in verdict.wrong:
        show.wrong(one.what, one.mend)
    for one in verdict.notes:
        show.warn(f"{one.what}\n        To change it: {one.mend}")
    if not verdict.wrong:
        show.ok("nothing is wrong")
    for number, phase in enumerate(verdict.phases, start=1):
        show.line(phase.state, f"phase {number}: {phase.title} ({phase.why})")
    show.line("next", verdict.next or "nothing has to be done")
    show.table(("what", "state"), [*_server(facts), *_pools(facts), *_rest(facts)])
    for deployment in facts.deployments:
        if deployment.recent:
            _runs(deployment)


def _server(facts: Facts) -> list[tuple[str, str]]:
    server, worker = facts.server, facts.worker_here
    mine = ", started by this project" if server.started_here else ""
    version = f", Prefect {server.version}" if server.version else ""
    # The state's name says it all, save for what the reason adds.
    state = server.state if not server.reason else f"{server.state}: {server.reason}"
    here = facts.environment
    return [
        ("environment", f"Python {here.python}, Prefect {here.prefect or 'missing'}"),
        ("API", f"{server.url or 'unknown'}, {state}{mine}{version}"),
        ("UI", server.ui or "unknown"),
        ("worker process of this project", f"runs (process {worker})" if worker else "none"),
    ]


def _pools(facts: Facts) -> list[tuple[str, str]]:
    rows = []
    for pool in facts.pools:
        rows.append((f"work pool {pool.name}", _pool(pool)))
        if pool.found:
            rows.append((f"workers of {pool.name}", ", ".join(pool.workers) or "none"))
            queues = ", ".join(
                f"{queue.name}{' (paused)' if queue.paused else ''}" for queue in pool.queues
            )
            waiting = sum(len(d.waiting) for d in facts.deployments if d.pool == pool.name)
            rows.append((f"queues of {pool.name}", f"{queues}; {waiting} runs wait in them"))
    for one in facts.deployments:
        rows += _deployment(one)
    return rows


def _pool(pool: Pool) -> str:
    if not pool.found:
        return "not found"
    limit = f", {pool.running or 0} of {pool.limit} runs at once" if pool.limit is not None else ""
    return f"{pool.kind}{', paused' if pool.paused else ', ready'}{limit}"


def _deployment(one: Deployment) -> list[tuple[str, str]]:
    if one.missing:
        return [(one.name, "not deployed by this project")]
    rows = [(one.name, "differs from prefect.yaml" if one.differences else "as prefect.yaml says")]
    for schedule in one.schedules:
        state = "active" if schedule.active and not one.paused else "paused"
        text = f"{schedule.when} in {schedule.timezone}, {state}"
        rows.append((f"{one.name}: schedule {schedule.slug}", text))
    rows.append((f"{one.name}: next run", _next(one)))
    return rows


def _next(one: Deployment) -> str:
    if one.next_run is None:
        return "none"
    zone = one.schedules[0].timezone if one.schedules else "UTC"
    there = f"{one.next_run.astimezone(ZoneInfo(zone)):%a %Y-%m-%d %H:%M} {zone}"
    return f"{there} ({clock(one.next_run)} here), {one.upcoming} lined up"


def _rest(facts: Facts) -> list[tuple[str, str]]:
    disk = facts.disk
    rows = []
    for refused in facts.quarantine:
        more = "" if refused.whole else "more than "
        text = f"{refused.files} files, {more}{refused.records:,} records, {size(refused.size)}"
        rows.append((f"quarantine ({refused.folder})", text))
    for target in disk.targets:
        held = "nothing yet" if target.size is None else size(target.size)
        remote = "://" in target.name and target.size is None
        rows.append((f"target ({target.name})", "not on this machine" if remote else held))
    return [
        *rows,
        ("logs", size(disk.logs)),
        ("Prefect's database", size(disk.database)),
        ("free on this disk", f"{size(disk.free)} of {size(disk.total)}"),
    ]


def _runs(one: Deployment) -> None:
    show.heading(f"The last runs of {one.name}")
    show.runs([(run.name, run.state, run.began, _counts(run)) for run in one.recent])
    for run in one.recent:
        if run.kind in ("FAILED", "CRASHED") and run.message:
            show.doing(f"{run.name} {run.state}: {_short(run.message)}")


def _counts(run: Run) -> tuple[int, int, int] | None:
    if run.read is None or run.refused is None or run.loaded is None:
        return None
    return run.read, run.refused, run.loaded


def _short(text: str) -> str:
    line = text.splitlines()[0]
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def size(count: int) -> str:
    """Bytes as a person reads them."""
    for unit, least in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= least:
            return f"{count / least:,.1f} {unit}"
    return f"{count} bytes"
