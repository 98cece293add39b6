"""Which target. Yours to edit where the rows shall go elsewhere; see docs/TARGETS.md."""

from collections.abc import Callable
from datetime import datetime

from data_pipeline.config import GUARD
from data_pipeline.contract import CONTRACT
from ingest.loading import Load, Loaded, Mode, Ready
from ingest.planning import check_size, window_of
from ingest.say import Say
from ingest.sinks import open_sink
from ingest.steps import Window


def window(
    mode: Mode, target: str, since: datetime | None, until: datetime | None, say: Say
) -> Window:
    """Which records the run takes, by what the target has already. Raises ingest's errors."""
    last = None
    if mode is Mode.INCREMENTAL:
        last = open_sink(target, say=say).last_load(CONTRACT.table)
    return window_of(CONTRACT, mode, last, since, until)


def load(ready: Ready, told: Load, target: str, say: Say, warn: Callable[[str], None]) -> Loaded:
    """Load the rows into the contract's table of the target.

    All rows become visible together or not at all, and the same rows a second time change
    nothing. Raises ingest's TargetError, and SourceError where the source has shrunk.
    """
    sink = open_sink(target, say=say)
    if told.mode is Mode.FULL:
        last = sink.last_load(CONTRACT.table)
        if warning := check_size(ready, told.source_url, last, GUARD):
            warn(warning)
    return sink.load(ready, CONTRACT, told, say)
