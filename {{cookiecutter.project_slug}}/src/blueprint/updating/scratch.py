"""Where a merge is made: a folder that nothing is left of, however the command ends."""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    prefix = "blueprint-update-"
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as folder:
        yield Path(folder).resolve()


@contextmanager
def ends_cleanly() -> Iterator[None]:
    """A SIGTERM or a closed terminal ends it as Ctrl-C does: with everything put back."""

    def end(number: int, _: FrameType | None) -> None:
        sys.exit(128 + number)

    names = [one for one in ("SIGTERM", "SIGHUP") if hasattr(signal, one)]
    before = {one: signal.signal(getattr(signal, one), end) for one in names}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(getattr(signal, one), handler)
