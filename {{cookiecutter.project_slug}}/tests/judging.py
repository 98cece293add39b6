"""A small contract, and what the gate makes of lines; what a file is taken for, and what lands."""

import csv
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from pydantic import BaseModel, Field

from ingest.contract import Contract
from ingest.detecting import recognised
from ingest.formats import Format, Reading
from ingest.gate import judge
from ingest.inference import Inferred, infer
from ingest.schema import columns_of
from ingest.sources import fetch
from ingest.steps import Judged, Limits, SourceFile, Step


class Inner(BaseModel):
    size: int


class Record(BaseModel):
    id: int
    price: Decimal = Field(default=Decimal(0), decimal_places=2)
    share: float = 0.0
    inner: list[Inner] = []


ANY = Limits(share=1.0)
TODAY = date(2026, 11, 24)


def found_in(folder: Path, content: bytes, reading: Reading, name: str = "source") -> SourceFile:
    """A file of this content, as a source of this name and no content type is recognised."""
    path = folder / name
    path.write_bytes(content)
    return recognised(path, "", name, "it", reading)


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


def ndjson(folder: Path, records: list[Any], name: str = "things.ndjson") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    return path


def cells(folder: Path, header: list[str], rows: list[list[str]]) -> Path:
    path = folder / "things.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def inferred(path: Path) -> tuple[Inferred, Contract]:
    found = infer(fetch(str(path), path.parent), TODAY)
    return found, found.contract


def landed(path: Path, contract: Contract) -> list[dict[str, Any]]:
    """The rows that the gate stages, none of them refused."""
    folder = path.parent
    step = Step(100, Limits(0.0), folder / "quarantine", "run-1")
    judged = judge(fetch(str(path), folder), contract, step, folder)
    assert judged.rejected == 0
    with duckdb.connect(str(judged.staging)) as connection:
        found = connection.execute("FROM accepted ORDER BY _position")
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def column(path: Path) -> str:
    """The type of a source's only column, or of the one called `x`."""
    _, contract = inferred(path)
    return columns_of(contract.record)["x"]
