"""The sink that docs/TARGETS.md shows keeps to the rules of every sink."""

import importlib
import re
import sqlite3
import sys
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
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    shown = re.search(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    assert shown
    (tmp_path / "sqlite_sink.py").write_text(shown[1], "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sqlite_sink", raising=False)
    path = tmp_path / "target.sqlite"
    sink = importlib.import_module("sqlite_sink").SQLiteSink(path)
    return Target(sink, tmp_path, lambda: read(path))
