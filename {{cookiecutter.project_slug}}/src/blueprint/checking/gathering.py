"""Gathers the facts: what can be told is told, also where the rest cannot."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from blueprint import done, manifest
from blueprint.checking import here
from blueprint.checking.facts import Deployment, Facts, Pool, Server
from blueprint.manifest import Manifest
from blueprint.processes import SERVER, WORKER, port_owner
from blueprint.project import Problem, Project, enter
from runtime.project import ROOT


def gather() -> Facts:
    """All facts of this project, as they are now; changes nothing on the server."""
    problems: list[str] = []
    project = plan = None
    try:
        project = enter()
    except Problem as problem:
        problems.append(str(problem))
    found = here.environment_now()
    name = ROOT.name
    try:
        _settings()
        plan = manifest.load()
    except Problem as problem:
        problems.append(str(problem))
    except ImportError as error:
        found.faults.insert(0, f"{error.name or error} cannot be imported: {error}")
    except ValueError as error:
        problems.append(f"Prefect refuses what prefect.toml, .env or the environment sets: {error}")
    server, pools, deployments = _server(project, plan)
    deployed: list[dict[str, Any]] = plan.deployments if plan else []
    return Facts(
        name,
        str(ROOT),
        datetime.now(UTC),
        found,
        problems,
        server,
        pools,
        _pid(WORKER.process()),
        deployments,
        here.quarantine_now(deployed),
        here.disk_now(project, deployed),
        done.passed(),
    )


def _settings() -> None:
    """Have Prefect read its settings. Raises ValueError where it refuses one of them."""
    from prefect.settings import get_current_settings

    get_current_settings()


def server_only(project: Project) -> Server:
    """The server alone, without what it holds."""
    return _server(project, None)[0]


def _server(
    project: Project | None, plan: Manifest | None
) -> tuple[Server, list[Pool], list[Deployment]]:
    mine = _pid(SERVER.process())
    if project is None:
        return Server("", "", False, "unknown", started_here=mine), [], []
    told = Server(project.api_url, project.ui_url, project.is_local, "unknown", started_here=mine)
    if project.is_local:
        state, reason = here.knock(project)
        if state == "listens" and not here.is_prefect(project):
            owner = port_owner(project.address[1])
            state, reason = ("starting", "not ready") if mine else ("no-prefect", owner)
        if state != "listens":
            return replace(told, state=state, reason=reason), [], []
    try:
        return _asked(project, plan, told)
    except ImportError as error:  # said of the environment
        return replace(told, reason=str(error)), [], []
    except ValueError as error:  # what answers is not what Prefect's client can read
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        return replace(told, state="failing", reason=reason), [], []


def _asked(
    project: Project, plan: Manifest | None, told: Server
) -> tuple[Server, list[Pool], list[Deployment]]:
    """What a server that listens says; Prefect is imported here and not before."""
    import httpx
    from prefect.exceptions import PrefectHTTPStatusError

    from blueprint import services
    from blueprint.checking import there

    try:
        with services.connected(project) as client:
            version, pools, deployments = there.ask(client, plan or Manifest([]))
    except Problem as problem:
        reason = str(problem).splitlines()[0]
        denied = " refuses this user " in reason
        state = "denied" if denied else "refused" if "refused" in reason else "unreachable"
        return replace(told, state=state, reason=reason), [], []
    except (PrefectHTTPStatusError, httpx.HTTPError) as error:
        return replace(told, state="failing", reason=str(error).splitlines()[0]), [], []
    return replace(told, state="answers", version=version), pools, deployments


def _pid(process: Any) -> int | None:
    return process.pid if process else None
