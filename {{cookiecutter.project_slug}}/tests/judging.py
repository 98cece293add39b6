"""A small contract, and what the gate makes of lines that are given to it."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from pydantic import BaseModel, Field

from ingest.contract import Contract
from ingest.formats import Format
from ingest.gate import judge
from ingest.steps import Judged, Limits, SourceFile, Step


class Inner(BaseModel):
    size: int


class Record(BaseModel):
    id: int
    price: Decimal = Field(default=Decimal(0), decimal_places=2)
    share: float = 0.0
    inner: list[Inner] = []


ANY = Limits(share=1.0)


def judged(
    folder: Path,
    lines: list[str],
    *,
    limits: Limits = ANY,
    batch_size: int = 2,
    record: type[BaseModel] = Record,
    fmt: Format = Format.NDJSON,
) -> Judged:
    path = folder / "source"
    path.write_text("\n".join(lines), encoding="utf-8")
    source = SourceFile(path, fmt, "the source", path.stat().st_size)
    step = Step(batch_size, limits, folder / "quarantine", "run-1")
    return judge(source, Contract(record, ("id",), "things"), step, folder)


def staged(result: Judged) -> list[dict[str, Any]]:
    with duckdb.connect(str(result.staging)) as connection:
        found = connection.execute("FROM accepted ORDER BY _position")
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def refused(folder: Path) -> list[dict[str, Any]]:
    (path,) = (folder / "quarantine").iterdir()
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
