"""The sinks that need no server keep to the rules of every sink."""

from pathlib import Path
from typing import Any

import duckdb
import pytest
from sink_rules import *  # noqa: F403
from sink_rules import Target

from ingest.sinks import open_sink


def read(source: str) -> list[dict[str, Any]]:
    with duckdb.connect() as connection:
        if source.endswith(".duckdb"):
            connection.execute(f"ATTACH '{source}' AS t; USE t")
            source = "things"
        found = connection.execute(f"FROM '{source}'")
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


@pytest.fixture(params=["duckdb", "parquet"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    folder = tmp_path / "new 'folder'"
    if request.param == "duckdb":
        path = folder / "target.duckdb"
        return Target(open_sink(str(path)), tmp_path, lambda: read(str(path).replace("'", "''")))
    path = str(folder / "things.parquet").replace("'", "''")
    return Target(open_sink(f"{folder}/"), tmp_path, lambda: read(path))
