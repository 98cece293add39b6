"""What the gate makes of a source, and what Pydantic alone makes of it."""

from __future__ import annotations

import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, settings
from ingest.contract import Contract
from ingest.errors import SourceError
from ingest.formats import Compression, Format
from ingest.gate import judge, lanes, parquet_lane, shapes
from ingest.gate.compiling import Unknown
from ingest.steps import Limits, SourceFile, Step
from pydantic import BaseModel

_ZERO = re.compile(r"(?<![\w.])-0\.0(?![\w.])")


def _verdicts(
    folder: Path, source: SourceFile, record: type[BaseModel], batch: int
) -> tuple[dict[int, Any], dict[int, str], str]:
    """The accepted rows by their place, the refused positions with reasons, and the way."""
    folder.mkdir()
    step = Step(batch, Limits(1.0), folder / "quarantine", "run")
    found = judge(source, Contract(record, (), "things"), step, folder)
    with duckdb.connect(str(found.staging)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        names = [row[0] for row in connection.execute("DESCRIBE accepted").fetchall()[1:]]
        shown = ", ".join('"' + name.replace('"', '""') + '"::VARCHAR' for name in names)
        rows = connection.execute(f"SELECT {shown} FROM accepted ORDER BY _position").fetchall()
    refused = {}
    if found.quarantine:
        for line in found.quarantine.read_text("utf-8").strip("\n").split("\n"):
            entry = json.loads(line)
            refused[entry["position"]] = (entry["field"], entry["reason"], entry["raw"])
    assert found.accepted == len(rows)
    # Where few values stand in a block, DuckDB's Parquet keeps equal ones once: 0.0 and -0.0 are.
    kept = [tuple(text and _ZERO.sub("0.0", text) for text in row) for row in rows]
    return dict(enumerate(kept)), refused, found.way


def _outcome(folder: Path, source: SourceFile, record: type[BaseModel]) -> Any:
    """What _verdicts gives, or the message of a source that cannot be read."""
    try:
        return _verdicts(folder, source, record, 3)
    except SourceError as error:
        return str(error)


def assert_same(
    source_text: bytes, fmt: Format, record: type[BaseModel], piece: int = 120, **more: Any
) -> None:
    """Both ways of judging give the same verdicts, values and quarantine.

    piece: about how many bytes of a line one expression of the gate matches.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "source"
        path.write_bytes(source_text)
        source = SourceFile(path, fmt, "the source", path.stat().st_size, Compression.NONE, **more)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(shapes, "_PIECE", piece)
            fast = _outcome(folder / "fast", source, record)

        def closed(_: Any) -> Any:
            raise Unknown("nothing")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lanes, "compiled", closed)
            patch.setattr(parquet_lane, "compiled", closed)
            slow = _outcome(folder / "slow", source, record)
        if isinstance(slow, str):
            assert fast == slow
            return
        assert slow[2].startswith("Pydantic, record by record")
        assert fast[1] == slow[1]
        assert fast[0] == slow[0]


FUZZ = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "40")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
