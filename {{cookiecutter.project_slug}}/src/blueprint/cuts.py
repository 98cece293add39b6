"""A small file cut from the project's own source: what the proofs and the failure tests run on."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from blueprint.inferring import patiently
from blueprint.project import Problem
from data_pipeline.config import ExtractConfig
from data_pipeline.contract import CONTRACT
from data_pipeline.extract import extract
from ingest.cut import Cut, cut
from ingest.formats import RawRecord
from ingest.say import silent
from ingest.steps import SourceFile

RECORDS = 100
"""How many records are cut at most."""


def cut_source(source: str | None, destination: Path) -> Cut:
    """The source's first records that fit the contract, beside `destination`, in its format.

    Raises:
        Problem: the manifest names no source.
        PipelineError: the source cannot be read.
    """
    if source is None:
        raise Problem("prefect.yaml gives this deployment no source_url: set it under parameters.")
    # Where the bad records of a source lie at its head, a few of them would be too many.
    found = patiently(lambda: _fetched(source, destination))
    return cut(found, destination, RECORDS, keep=_fits_the_contract)


def _fetched(source: str, destination: Path) -> SourceFile:
    """The source as extract.py brings it."""
    folder = destination.with_name("fetched")
    folder.mkdir(parents=True, exist_ok=True)
    return extract(ExtractConfig(source_url=source), folder, silent)


def _fits_the_contract(raw: RawRecord) -> bool:
    try:
        CONTRACT.record.model_validate(raw.value)
    except ValidationError:
        return False
    return raw.fault is None
