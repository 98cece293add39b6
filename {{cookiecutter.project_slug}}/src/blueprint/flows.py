"""The flow behind a deployment: loaded, and its parameters checked against it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from prefect.exceptions import ParameterTypeError
from prefect.flows import Flow, load_flow_from_entrypoint

from blueprint.project import Problem, broken_code


def load_flow(deployment: Mapping[str, Any]) -> Flow[..., Any]:
    """The flow of one of the manifest's deployments.

    Raises:
        Problem: its code cannot be imported, or has no such flow.
    """
    entrypoint = deployment["entrypoint"]
    try:
        return load_flow_from_entrypoint(entrypoint)
    except Exception as error:  # the user's code may raise anything when it is imported
        raise broken_code(f"{entrypoint} cannot be loaded", error) from error


def check_parameters(flow: Flow[..., Any], name: str, parameters: Mapping[str, Any]) -> None:
    """Check parameters as the flow itself would when it is called.

    Raises:
        Problem: one is missing, unknown, of the wrong type or out of bounds.
    """
    logger = logging.getLogger("prefect.flows")
    before, logger.disabled = logger.disabled, True  # it says the same, as data
    try:
        flow.validate_parameters(dict(parameters))
    except (ParameterTypeError, TypeError) as error:
        raise Problem(f"The parameters of {name!r} do not fit the flow:\n{error}") from None
    finally:
        logger.disabled = before
