"""The Parquet sink on Azure's Blob Storage, against Azurite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from ingest.sinks import open_sink
from sink_rules import *  # noqa: F403
from sink_rules import Target

from .emulators import Emulator, azurite
from .test_object_sink import (  # noqa: F401 (run here again, on this target)
    read,
    test_a_large_file_goes_in_parts,
    test_a_long_footer_is_read_whole,
    test_of_loads_at_the_same_time_none_is_lost,
)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with azurite() as running:
        yield running


@pytest.fixture
def target(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    """A folder of its own in the container, and an environment that leads to it."""
    for name, value in emulator.variables.items():
        monkeypatch.setenv(name, value)
    folder, store = uuid4().hex, emulator.store()
    return Target(open_sink(emulator.url(folder)), tmp_path, lambda: read(store, tmp_path, folder))
