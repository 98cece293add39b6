"""The sink that docs/TARGETS.md shows keeps to the rules of every sink."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sink_rules import *  # noqa: F403
from sink_rules import Target

GUIDE = Path(__file__).parents[1] / "docs" / "TARGETS.md"


def read(path: Path) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("SELECT * FROM things")]


@pytest.fixture
def target(tmp_path: Path) -> Target:
    shown = re.search(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    assert shown
    names: dict[str, Any] = {}
    exec(compile(shown[1], GUIDE, "exec"), names)
    path = tmp_path / "target.sqlite"
    return Target(names["SQLiteSink"](path), tmp_path, lambda: read(path))
