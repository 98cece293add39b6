"""What the server holds of a living project: its deployments, their runs, and what became of these."""

from __future__ import annotations

import json
from typing import Any

from living import Living


def deployment(living: Living, name: str = "production-etl") -> dict[str, Any]:
    """The project's own deployment of that name, whoever else has a namesake there."""
    held = living.api("/deployments/filter", {"deployments": {"name": {"any_": [name]}}})
    return next(one for one in held if str(living.path) in str(one["job_variables"]))


def begun(living: Living, *more: str) -> str:
    """Trigger a run that nobody watches; gives its id."""
    _, printed = living.ends("trigger_with_params.sh", "--no-watch", "--json", *more)
    # An edited pyproject.toml has the environment looked after first, which is told.
    return json.loads(printed[printed.index("{") :])["id"]


def planned(living: Living, deployment: str, **more: Any) -> str:
    """Ask for a run in the far future, which no worker takes before; gives its id."""
    later = {"type": "SCHEDULED", "state_details": {"scheduled_time": "2099-01-01T00:00:00Z"}}
    path = f"/deployments/{deployment}/create_flow_run"
    return living.api(path, {"state": later, **more})["id"]


def asked_for(living: Living) -> list[dict[str, Any]]:
    """The runs that no schedule lined up: the server adds those of its own accord."""
    asked = {"sort": "EXPECTED_START_TIME_DESC", "limit": 200}
    return [one for one in living.api("/flow_runs/filter", asked) if not one["auto_scheduled"]]


def waiting(living: Living, *deployments: str) -> list[dict[str, Any]]:
    """The runs that have not begun: of these deployments, by their ids, or of all."""
    asked: dict[str, Any] = {"state": {"type": {"any_": ["SCHEDULED"]}}}
    if deployments:
        asked["deployment_id"] = {"any_": list(deployments)}
    return living.api("/flow_runs/filter", {"flow_runs": asked})


def latest(living: Living) -> dict[str, Any]:
    """The run that began last; those that the schedule has lined up have not begun."""
    begun = {"state": {"type": {"not_any_": ["SCHEDULED", "PENDING"]}}}
    asked = {"flow_runs": begun, "sort": "START_TIME_DESC", "limit": 1}
    return living.api("/flow_runs/filter", asked)[0]


def state_of(living: Living, run: str) -> dict[str, Any]:
    """The state of a run, by its id."""
    return living.api(f"/flow_runs/{run}")["state"]


def logged(living: Living, run: str) -> str:
    """What a run has told so far; of much, the end."""
    asked = {"logs": {"flow_run_id": {"any_": [run]}}, "sort": "TIMESTAMP_DESC", "limit": 200}
    return "\n".join(log["message"] for log in reversed(living.api("/logs/filter", asked)))


def heartbeats(living: Living, run: str) -> int:
    """How many signs of life a run has given."""
    names = {"event": {"name": ["prefect.flow-run.heartbeat"]}}
    of_run = {"resource": {"id": [f"prefect.flow-run.{run}"]}}
    return living.api("/events/filter", {"filter": names | of_run})["total"]
