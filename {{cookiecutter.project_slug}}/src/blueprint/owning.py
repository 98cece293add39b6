"""Whose a deployment is: each carries the mark of the project that made it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import ObjectNotFound

from blueprint.project import Problem, mark
from runtime.project import ROOT

if TYPE_CHECKING:
    from prefect.client.schemas.responses import DeploymentResponse

MARK = "BLUEPRINT_PROJECT"
_PAGE = 200
"""How many deployments a server gives at once."""


def owner(held: DeploymentResponse) -> str | None:
    """The mark of the project that made a deployment; none where it was no blueprint project."""
    env = (held.job_variables or {}).get("env")
    return env.get(MARK) if isinstance(env, dict) else None


def refuse_foreign(client: SyncPrefectClient, name: str) -> None:
    """Raises Problem where another project has made the deployment `flow/deployment`."""
    try:
        held = client.read_deployment_by_name(name)
    except ObjectNotFound:
        return
    if owner(held) != mark():
        raise Problem(foreign(name, held))


def foreign(name: str, held: DeploymentResponse) -> str:
    """What a person is told of a deployment that is not this project's."""
    folder = (held.job_variables or {}).get("working_dir")
    whose = f"the project in {folder}" if owner(held) else "something that is no blueprint project"
    return (
        f"The server's deployment {name!r} belongs to {whose}, not to {ROOT}.\n"
        "Rename this project's flow (in its flow.py) or its deployment (prefect.yaml).\n"
        "To replace the other one on purpose, also where it is this project in another clone: "
        "blueprint deploy --take-over"
    )


def all_deployments(client: SyncPrefectClient) -> Iterator[DeploymentResponse]:
    """Every deployment of the server, page by page."""
    offset = 0
    while page := client.read_deployments(limit=_PAGE, offset=offset):
        yield from page
        if len(page) < _PAGE:
            return
        offset += _PAGE


def ours(client: SyncPrefectClient) -> list[DeploymentResponse]:
    """The deployments that this project made, whatever prefect.yaml says now."""
    mine = mark()
    return [one for one in all_deployments(client) if owner(one) == mine]
