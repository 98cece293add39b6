"""What a candidate is told."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Job:
    """One load: of `url`, whose bytes also lie at `file`, into `target`.

    file_format: ndjson, json, csv or parquet; `file` may be packed besides.
    target: a DuckDB file that is not there yet, or the URL of a Postgres database.
    work: an empty folder of this load alone.
    project: the stamped project, whose contract every candidate keeps.
    """

    url: str
    file: Path
    file_format: str
    target: str
    work: Path
    project: Path

    def dump(self) -> str:
        return json.dumps({name: str(value) for name, value in asdict(self).items()})

    @staticmethod
    def parse(text: str) -> Job:
        told = json.loads(text)
        paths = {name: Path(told[name]) for name in ("file", "work", "project")}
        return Job(**{**told, **paths})
