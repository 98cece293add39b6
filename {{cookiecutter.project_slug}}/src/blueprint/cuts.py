"""A small file cut from a pipeline's own source: what the proofs and the failure tests run on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from blueprint.inferring import patiently
from blueprint.pipelines.which import package_of, part
from blueprint.project import Problem
from ingest.cut import Cut, cut
from ingest.gate.pydantic_way import PydanticWay
from ingest.say import silent
from ingest.schema import columns_of
from ingest.steps import SourceFile

RECORDS = 100
"""How many records are cut at most."""


def cut_source(deployment: Mapping[str, Any], destination: Path) -> Cut:
    """The first records of its source that fit its contract, beside `destination`, in its format.

    Raises:
        Problem: the manifest names no source.
        PipelineError: the source cannot be read.
    """
    package = package_of(deployment)
    source = (deployment.get("parameters") or {}).get("source_url")
    if source is None:
        raise Problem("prefect.yaml gives this deployment no source_url: set it under parameters.")
    # Where the bad records of a source lie at its head, a few of them would be too many.
    found = patiently(lambda: _fetched(package, source, destination))
    record = part(package, "contract").CONTRACT.record
    way = PydanticWay(record, columns_of(record))
    return cut(found, destination, RECORDS, keep=lambda raw: not way.judge([raw]).refused)


def _fetched(package: str, source: str, destination: Path) -> SourceFile:
    """The source as extract.py brings it."""
    folder = destination.with_name("fetched")
    folder.mkdir(parents=True, exist_ok=True)
    config = part(package, "config").ExtractConfig(source_url=source)
    return part(package, "extract").extract(config, folder, silent)
