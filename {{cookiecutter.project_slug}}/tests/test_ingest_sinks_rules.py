"""The sinks that need no server keep to the rules of every sink."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sink_rules import *  # noqa: F403
from sink_rules import FULL, KEYED, THREE, UNKEYED, Target, stage

from ingest.contract import Contract
from ingest.errors import TransformError
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


@pytest.mark.parametrize("contract", [KEYED, UNKEYED])
def test_a_value_that_the_transform_cannot_cast_is_no_fault_of_the_target(
    target: Target, contract: Contract
) -> None:
    target.bring(THREE, contract)
    rows = stage(target.folder, THREE, "SELECT *, name::DATE AS on_day FROM accepted")
    with pytest.raises(TransformError, match="transform.py failed on a value") as told:
        target.sink.load(rows, contract, replace(FULL, run_id="bad"))
    assert "LINE" not in str(told.value)
    assert target.held() == [(1, "a"), (2, "b"), (3, "c")]
