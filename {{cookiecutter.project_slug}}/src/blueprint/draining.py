"""Asking a worker to take no new run, to let those in hand end, and then to end itself.

Prefect has no such thing (its #22528): SIGTERM to its worker ends the runs, or strands them. A
paused pool or queue would stop the workers of others too. So the request is a file, which the
worker of this project looks for; that also works where there are no signals.
"""

from __future__ import annotations

import json

import psutil

from blueprint.processes import WORKER
from blueprint.project import STATE

_REQUEST = STATE / "drain.json"
GRACE = 15
"""Seconds between asking a run to end and ending it by force."""


def ask(worker: psutil.Process, limit: int) -> None:
    """Ask a worker process to drain; its runs have `limit` seconds from now. It may be repeated."""
    request = {"pid": worker.pid, "started": worker.create_time(), "limit": limit}
    draft = _REQUEST.with_suffix(".new")
    draft.write_text(json.dumps(request), "utf-8")
    draft.replace(_REQUEST)


def asked(worker: psutil.Process) -> int | None:
    """The limit that a worker process was asked to keep, in seconds; None if it was not asked.

    The request lies there still when its worker has ended, and another may get its number.
    """
    try:
        request = json.loads(_REQUEST.read_text("utf-8"))
        same = abs(request["started"] - worker.create_time()) < 1
        return int(request["limit"]) if same and request["pid"] == worker.pid else None
    except (OSError, ValueError, TypeError, KeyError, psutil.Error):
        return None


def worker_drains() -> bool:
    """Whether this project's worker runs, and yet takes no new run."""
    process = WORKER.process()
    return process is not None and asked(process) is not None
