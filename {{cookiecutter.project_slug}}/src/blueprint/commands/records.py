"""The source's records: the contract, a preview, what was refused.

Prefect is imported inside a command, never above it: it reads its settings once, at import,
and it takes seconds.
"""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter

from blueprint.project import enter


def infer_contract(
    *, pipeline: str | None = None, source: str | None = None, force: bool = False
) -> None:
    """Write contract.py from the source: what all of its records are.

    Parameters
    ----------
    pipeline
        The name of a deployment in prefect.yaml, or of a pipeline; else the first there.
    source
        A URL or a path; else the source_url that prefect.yaml gives.
    force
        Also where somebody has edited contract.py.
    """
    enter()
    from blueprint import inferring

    inferring.infer_contract(source, force, pipeline)


def preview(
    *,
    limit: int = 1000,
    source: str | None = None,
    pipeline: str | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> None:
    """What would be accepted, refused and loaded of the source's first records; loads nothing.

    The exit code is 0 if something would be accepted, and no more refused than a run bears.

    Parameters
    ----------
    limit
        How many records are read.
    source
        A URL or a path; else the source_url that prefect.yaml gives.
    pipeline
        The name of a deployment in prefect.yaml, or of a pipeline; else the first there.
    as_json
        Print it as JSON.
    """
    enter()
    from blueprint import manifest, previewing

    if not previewing.preview(manifest.load().chosen(pipeline), limit, source, as_json):
        sys.exit(1)


def replay_quarantine(
    which: str | None = None,
    /,
    *,
    pipeline: str | None = None,
    target: str | None = None,
    dry_run: bool = False,
) -> None:
    """Judge refused records again, after the contract was mended, and load what passes.

    Parameters
    ----------
    which
        A run's id or a quarantine file; else all that are there.
    pipeline
        The name of a deployment in prefect.yaml, or of a pipeline; else the first there.
    target
        Where the run has loaded; else the target that prefect.yaml gives.
    dry_run
        Say what would be accepted, and load nothing.
    """
    enter()
    from blueprint import manifest, replaying

    replaying.replay_quarantine(manifest.load().chosen(pipeline), which, target, dry_run)
