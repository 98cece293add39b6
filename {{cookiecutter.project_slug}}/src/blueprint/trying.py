"""`blueprint test-local`: the pipeline here, into a scratch target, so that no row is touched."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blueprint import local, show, withholding
from blueprint.project import STATE, Problem
from ingest.errors import PipelineError
from runtime.project import ROOT

if TYPE_CHECKING:
    from ingest.summary import RunSummary


def test_local(
    parameters: Mapping[str, Any], keep: bool, as_json: bool, pipeline: str | None = None
) -> bool:
    """Run a deployment's flow here, else the first one's, and show what it did; gives whether it landed rows.

    keep: leave the scratch folder there. What `parameters` say of target and quarantine counts.

    Raises:
        Problem: the run failed, and no JSON was asked for.
    """
    scratch = STATE / "scratch" / datetime.now().strftime("local-%Y%m%dT%H%M%S%f")
    into = {
        "target": str(scratch / "warehouse.duckdb"),
        "quarantine": str(scratch / "quarantine"),
    }
    try:
        summary = _run({**into, **parameters}, as_json, pipeline)
    except (Problem, PipelineError) as problem:
        if not as_json:
            raise
        show.data(json.dumps({"ok": False, "error": str(problem)}, indent=2))
        return False
    finally:
        if not keep:
            shutil.rmtree(scratch, ignore_errors=True)
    if as_json:
        landed = summary.rows_loaded > 0
        show.data(json.dumps({"ok": landed, "summary": summary.model_dump(mode="json")}, indent=2))
        return landed
    return _show(summary, scratch if keep else None)


def _run(parameters: Mapping[str, Any], quiet: bool, pipeline: str | None) -> RunSummary:
    if not quiet:
        show.heading("Local run, without a deployment")
        show.doing("starting a temporary server; the first one makes its database")
    local.without_server()
    from blueprint import manifest

    if not quiet:
        into = withholding.target(str(parameters["target"]))
        show.doing(f"running the pipeline here, into {into}")
    return local.run(manifest.load().chosen(pipeline), parameters)


def _show(summary: RunSummary, kept: Path | None) -> bool:
    show.summary(summary)
    if kept:
        show.ok(f"kept: {kept.relative_to(ROOT)}")
    if summary.rows_loaded == 0:
        show.warn(f"no row was loaded: {summary.source_url} holds no records")
        return False
    show.ok("the pipeline lands rows; nothing was deployed")
    return True
