"""Says that a disk is full where a step failed for that, whatever had failed to write."""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from ingest.errors import SpaceError

_FULL = {errno.ENOSPC, errno.EDQUOT}
# DuckDB repeats the system's words, in which it differs; the last is a limit of its own, of what
# was free when it began.
_WORDS = re.compile(
    r"No space left|not enough space|[Dd]isk quota|disk is full|max_temp_directory_size"
)


@contextmanager
def in_room(work: Path, quarantine: Path | None = None) -> Generator[None, None, None]:
    """What happens within writes into these folders of a run.

    Raises SpaceError where a disk is full, which names the folder that has less room.
    """
    try:
        yield
    except Exception as error:
        if not _is_full(error):
            raise
        folder, named_by = work, "TMPDIR in the run's environment"
        if quarantine is not None and _free(quarantine) < _free(work):
            folder, named_by = quarantine, "the parameter quarantine"
        raise SpaceError(
            f"No space is left on the disk of {folder}, and nothing was loaded. Make room there, or "
            f"name a folder of a larger disk with {named_by}."
        ) from None


def _is_full(error: BaseException | None) -> bool:
    """Whether this is behind the error: what tells of a damaged file may come of it too."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        # Not of a value, which may hold any words.
        if isinstance(error, duckdb.OperationalError) and _WORDS.search(str(error)):
            return True
        error = error.__cause__
    return False


def _free(folder: Path) -> int:
    """The bytes that are free where a folder lies, which need not be there yet."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
