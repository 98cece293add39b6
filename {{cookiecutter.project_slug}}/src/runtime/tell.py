"""What is told of a run that has failed, in its log; a team may add what it likes."""

from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State
from prefect.logging.loggers import flow_run_logger


def tell_of_failure(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """The last line of a failed run's log: what to do next. For `on_failure` and `on_crashed`.

    It runs in the run's own process, so not where that was killed: there, and where a message is
    to go out, an automation of the server's does it (notify in pyproject.toml).
    """
    package = flow.fn.__module__.partition(".")[0]
    named = "" if package == "data_pipeline" else f" --pipeline {package}"
    logger = flow_run_logger(flow_run, flow)
    logger.error(
        f"The run {flow_run.name} is {state.name}. Its reason stands above; once it is mended, run it "
        f"again with the same parameters: in the UI, or with `blueprint run{named}`."
    )
