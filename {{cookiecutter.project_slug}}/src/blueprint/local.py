"""The pipeline in this process, with a temporary server in place of the project's API."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from blueprint.project import STATE, Problem
from runtime.project import ROOT

if TYPE_CHECKING:
    from prefect.states import State

    from ingest.summary import RunSummary

STARTUP = 180
"""Seconds for the temporary server; on a new database it makes some hundred migrations first."""


def without_server() -> None:
    """Start a temporary server and let the runs of this process speak to it.

    Call it before anything imports Prefect. Prefect starts a temporary server only where no API
    address is set, and reads settings from the current folder and the profile: so it is imported
    from a folder that sets none, with no profile. An empty PREFECT_API_URL is not enough: the
    run's events then have nowhere to go.
    """
    STATE.mkdir(exist_ok=True)
    os.environ.pop("PREFECT_API_URL", None)
    os.environ["PREFECT_PROFILES_PATH"] = str(STATE / "no-profiles.toml")
    os.environ["PREFECT_SERVER_EPHEMERAL_ENABLED"] = "true"
    os.environ["PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"] = str(STARTUP)
    os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
    os.chdir(STATE)
    try:
        from prefect.client.orchestration import get_client

        with get_client(sync_client=True) as client:
            if error := client.api_healthcheck():
                raise RuntimeError(error)
    except RuntimeError as error:
        raise Problem(
            f"The temporary server for a local run did not come up: {error}\n"
            f"Can {os.environ['PREFECT_HOME']} be written to, and is its database sound?"
        ) from None
    finally:
        os.chdir(ROOT)


def run(deployment: Mapping[str, Any], parameters: Mapping[str, Any]) -> RunSummary:
    """Run a deployment's flow here, with its parameters and those given on top.

    Raises:
        Problem: a parameter does not fit, or the run failed; the message is the run's own.
    """
    from blueprint.flows import check_parameters, load_flow

    flow = load_flow(deployment)
    given = {**(deployment.get("parameters") or {}), **parameters}
    check_parameters(flow, deployment["name"], given)
    state = cast("State[RunSummary]", flow(**given, return_state=True))
    if not state.is_completed():
        raise Problem(f"The run ended {state.name}: {state.message}")
    return state.result()
