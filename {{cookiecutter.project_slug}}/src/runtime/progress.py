"""What a person sees while a step runs: a bar here, lines in a log, an artifact in the UI."""

import logging
import math
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.logging import get_run_logger
from prefect.logging.handlers import PrefectConsoleHandler
from prefect.runtime import flow_run, task_run
from rich.console import Console
from rich.errors import LiveError
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Column

from ingest.say import Line, Say
from runtime.summary import key_of_this_run
from runtime.work import deployment_of_this_run

# Seconds. A short step shows nothing and costs nothing.
BAR_AFTER, BAR_EVERY = 0.5, 0.1
LINE_EVERY = 5.0
ARTIFACT_AFTER, ARTIFACT_EVERY = 2.0, 3.0


@contextmanager
def progress(*, at_once: bool = False) -> Generator[Say, None, None]:
    """Give a step something to tell its progress to; must be used within a run.

    On a terminal, in a run of no deployment, it moves a bar; elsewhere it logs a line every
    few seconds. Where a step takes longer than a moment it also moves an artifact in the UI,
    which ends at 100. The engine may tell as often as it likes. `at_once` shows the first
    text too, for a step that says something only where it has to wait. A `Line` is always
    logged.
    """
    name = str(task_run.task_name or flow_run.flow_name or "run")
    began = time.monotonic()
    moving = _Moving(name, began)
    with ExitStack() as stack:
        console = _terminal()
        here: _Lines | _Bar
        if console is None:
            here = _Lines(began if at_once else began + LINE_EVERY)
        else:
            here = _Bar(name, console, began if at_once else began + BAR_AFTER)
            stack.callback(here.close)

        def say(text: str, done: float | None = None) -> None:
            now = time.monotonic()
            moving.last = text
            if isinstance(text, Line):
                here.tell(text, now)
            if now >= here.due:
                here.show(text, done, now)
            if now >= moving.due:
                moving.show(done)

        try:
            yield say
        except Exception:
            moving.stop("failed")
            raise
        moving.stop(None)


def _terminal() -> Console | None:
    """The console that Prefect logs to, if a person sits before it and waits for this run.

    It must be that very one: two that write to one terminal garble each other's lines.
    """
    if deployment_of_this_run()[0] is not None:
        return None
    console = _log_console() or Console(stderr=True)
    return console if console.is_interactive else None


def _log_console() -> Console | None:
    logger: logging.Logger | None = logging.getLogger("prefect.task_runs")
    while logger is not None:
        for handler in logger.handlers:
            if isinstance(handler, PrefectConsoleHandler):
                return handler.console
        logger = logger.parent if logger.propagate else None
    return None


class _Lines:
    """A line in the run's log every few seconds."""

    def __init__(self, due: float) -> None:
        self.due = due
        self._logger = get_run_logger()

    def tell(self, text: str, now: float) -> None:
        self.show(text, None, now)

    def show(self, text: str, done: float | None, now: float) -> None:
        self.due = now + LINE_EVERY
        self._logger.info(text if done is None else f"{text} ({_percent(done):.0f} %)")


class _Bar:
    """A bar below the log's lines, which goes when the step ends."""

    def __init__(self, name: str, console: Console, due: float) -> None:
        self.due = due
        self._logger = get_run_logger()
        # Prefect's console knows no style by name, and the texts may hold brackets.
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(24, "bright_black", "green", "green", "green"),
            TaskProgressColumn("{task.percentage:>3.0f}%", markup=False),
            TimeElapsedColumn(),
            TextColumn(
                "{task.fields[text]}",
                markup=False,
                table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1),
            ),
            console=console,
            transient=True,
            expand=True,
        )
        self._task = self._progress.add_task(name, total=None, text="")

    def tell(self, text: str, now: float) -> None:
        self._logger.info(text)  # the bar goes when the step ends

    def show(self, text: str, done: float | None, now: float) -> None:
        self.due = now + BAR_EVERY
        try:
            self._progress.start()
        except LiveError:  # a step beside this one has the terminal's last line
            self.due = math.inf
            return
        total, completed = (None, None) if done is None else (100.0, _percent(done))
        self._progress.update(self._task, total=total, completed=completed, text=text)

    def close(self) -> None:
        self._progress.stop()


class _Moving:
    """A progress artifact of the step, made once the step takes longer than a moment."""

    def __init__(self, name: str, began: float) -> None:
        self.due = began + ARTIFACT_AFTER
        self._name = name
        self._artifact: UUID | None = None
        self._percent = 0.0
        self.last = ""
        self._logger = get_run_logger()
        # Asked for here, since the engine may speak from a thread that is in no run.
        self._flow_run, self._task_run = _uuid(flow_run.id), _uuid(task_run.id)
        # To make a client takes longer than to use it.
        self._open = ExitStack()
        self._client: SyncPrefectClient | None = None

    def show(self, done: float | None) -> None:
        if done is not None:
            self._percent = _percent(done)
        if self._send(f"{self._name}: {self.last}"):
            self.due = time.monotonic() + ARTIFACT_EVERY

    def stop(self, why: str | None) -> None:
        """The step has ended: well (None), or as `why` says."""
        if self._artifact is not None:
            if why is None:
                self._percent = 100.0
            self._send(f"{self._name}, {why or 'done'}: {self.last}")
        with suppress(Exception):  # nobody needs the client any more
            self._open.close()

    def _send(self, description: str) -> bool:
        try:
            if self._client is None:
                self._client = self._open.enter_context(get_client(sync_client=True))
            if self._artifact is None:
                self._artifact = self._client.create_artifact(
                    ArtifactCreate(
                        key=key_of_this_run("progress"),
                        type="progress",
                        description=description,
                        data=self._percent,
                        flow_run_id=self._flow_run,
                        task_run_id=self._task_run,
                    )
                ).id
            else:
                self._client.update_artifact(
                    self._artifact, ArtifactUpdate(description=description, data=self._percent)
                )
        except Exception as error:  # to show progress is not worth a failure; not tried again
            self.due = math.inf
            self._artifact = None
            self._logger.debug(f"Progress is not shown in the UI: {type(error).__name__}: {error}")
            return False
        return True


def _percent(done: float) -> float:
    return 100.0 * min(1.0, max(0.0, done))


def _uuid(text: object) -> UUID | None:
    return UUID(str(text)) if text else None
