"""Which failures are worth a retry of Prefect's."""

from typing import Any

from prefect import Task
from prefect.client.schemas.objects import State, TaskRun

from ingest.errors import SourceError


def is_transient(task: Task[Any, Any], task_run: TaskRun, state: State[Any]) -> bool:
    """True where the same attempt may succeed in a moment; for `retry_condition_fn`.

    A missing file, a 404 or a broken format would fail again: the run ends at once.
    """
    error = state.result(raise_on_failure=False)
    return isinstance(error, SourceError) and error.transient
