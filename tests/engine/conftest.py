"""These tests import the stamped project's engine from where it stands in the template."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = next(ROOT.glob("*/src/ingest")).parents[1]
sys.path[:0] = [str(PROJECT / "src"), str(PROJECT / "tests")]
# Before a test imports it: so that what differs is shown.
pytest.register_assert_rewrite("engine.verdicts")
# Before ../conftest.py moves it into pytest's folder, for the time of the tests.
TEMPORARY = Path(tempfile.gettempdir())


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    from .postgres import running

    with running(TEMPORARY) as address:
        yield address


@pytest.fixture
def database(server: str) -> str:
    """The address of a schema without a table."""
    from .postgres import ask

    ask(server, "DROP SCHEMA public CASCADE")
    ask(server, "CREATE SCHEMA public")
    return server
