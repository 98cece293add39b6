"""`blueprint run`: a run on demand."""

from __future__ import annotations

from typing import Any

from blueprint import deploying, manifest, runs, services, show
from blueprint.project import Project
from runtime.summary import read


def trigger(project: Project, parameters: dict[str, Any], watch: bool) -> None:
    """Trigger a run of the first deployment; with `watch`, wait for its end and show what it did.

    Raises:
        Problem: the parameters are refused, no worker takes the run, or it did not complete.
    """
    plan = manifest.load().first
    with services.connected(project) as client:
        run = runs.trigger(client, deploying.find(client, plan), parameters)
        show.ok(f"run {run.name}: {project.ui_url}/runs/flow-run/{run.id}")
        if not watch:
            return
        run = runs.completed(runs.wait(client, run, plan["work_pool"]["name"]))
        summary = read(client, run.id)
        if summary:
            show.summary(summary)
