"""What surrounds the steps of one run: its id and its folder."""

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from prefect.runtime import flow_run

from runtime.project import WORK_PREFIX


def run_id() -> str:
    """The id of the flow run that this is part of."""
    return str(flow_run.id)


@contextmanager
def work_folder() -> Generator[Path, None, None]:
    """A folder of this run alone, removed at its end, also after a failure."""
    with tempfile.TemporaryDirectory(prefix=WORK_PREFIX, ignore_cleanup_errors=True) as folder:
        yield Path(folder)
