"""One run, told from its start to its end, also where that end is an error."""

import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from prefect.logging import get_run_logger
from rich.console import Console

from ingest.contract import Contract
from ingest.summary import Progressed, RunSummary, summarize
from runtime.summary import publish


class Report(Progressed):
    """What the steps of the run reported; `summary` stands here once the run has ended."""

    _summary: RunSummary | None = None

    @property
    def summary(self) -> RunSummary:
        """What the run did; only after the `with` of `reported`."""
        if self._summary is None:
            raise RuntimeError("The summary is made when the `with reported(...)` ends.")
        return self._summary


@contextmanager
def reported(
    run_id: str,
    contract: Contract,
    target: Path | str,
    *,
    mode: str = "full",
    show_raw: bool = True,
) -> Generator[Report, None, None]:
    """Summarize what happens within, and publish it: when it ends, or when it fails.

    Assign to the report what each step hands on. An error may carry as `judged` what had
    been counted until then. To publish never fails a run.
    """
    report, began = Report(), time.monotonic()

    def finish(error: BaseException | None) -> None:
        if error is not None:
            report.judged = report.judged or getattr(error, "judged", None)
        took = time.monotonic() - began
        report._summary = summarize(
            run_id, contract, target, report, took, mode=mode, show_raw=show_raw, error=error
        )
        _publish(report.summary)

    try:
        yield report
    except Exception as error:
        finish(error)
        raise
    finish(None)


def _go_on_unread(self: Console) -> None:
    """A run outlives its worker, which read what the run prints; its log goes to the server too.

    Prefect prints that log by rich, and rich ends a program at the first line that nobody reads.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for output in (1, 2):
        os.dup2(nowhere, output)
    os.close(nowhere)


# Here, since Prefect's first lines come before any of the flow's.
if "PREFECT__WORKER_NAME" in os.environ:
    Console.on_broken_pipe = _go_on_unread


def _publish(summary: RunSummary) -> None:
    logger = get_run_logger()
    try:
        publish(summary)
    except Exception as error:  # the rows are loaded; a page about them is not worth a failure
        logger.warning(f"The run's summary could not be published: {type(error).__name__}: {error}")
    if summary.error is None:
        logger.info(summary.sentence())
