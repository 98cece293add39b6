"""What surrounds the steps of one run: its id, its folder, its words."""

import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from prefect.logging import get_run_logger
from prefect.runtime import flow_run

PROGRESS_INTERVAL = 5.0  # seconds between two lines of progress


def run_id() -> str:
    """The id of the flow run that this is part of."""
    return str(flow_run.id)


@contextmanager
def work_folder() -> Generator[Path, None, None]:
    """A folder of this run alone, removed at its end, also after a failure."""
    with tempfile.TemporaryDirectory(prefix="pipeline-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def progress(*, at_once: bool = False) -> Callable[[str], None]:
    """A function that logs what it is told, but not more often than every few seconds.

    Must be called within a run. The engine reports after each batch and each block of a
    download: as log lines of their own these would be thousands. `at_once` logs the first
    report too, where there is none unless something takes long.
    """
    logger = get_run_logger()
    last = float("-inf") if at_once else time.monotonic()

    def say(text: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= PROGRESS_INTERVAL:
            last = now
            logger.info(text)

    return say
