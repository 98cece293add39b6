"""Writes contract.py from the source, and never over what a person has written."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from blueprint import show
from blueprint.project import Problem
from ingest.errors import SourceError
from ingest.inference import Inferred, fingerprint, infer, inferred_from
from ingest.sources import without_secrets
from ingest.steps import SourceFile
from runtime.project import ROOT, WORK_PREFIX, resolve

CONTRACT = ROOT / "src" / "data_pipeline" / "contract.py"
TRANSFORM = ROOT / "src" / "data_pipeline" / "transform.py"
SAMPLE = "data/sample_orders.ndjson"
# What the template ships, by its fingerprint: nobody's edit. A test of the template's keeps
# them right.
SHIPPED_CONTRACT = "310ecc78b0ea401e0109844b6d9e30d26ec04e5af2a6c1b18f1ecb16d51a60cb"
SHIPPED_TRANSFORM = "62c757a6134326a7466c7bfd8de0e262f819b1742362e7566a141377e748e6db"
_PAUSE = 2.0  # seconds between two tries
PASS_THROUGH = '''\
"""What changes between the source and the table. Yours to edit."""

from __future__ import annotations

import duckdb


def transform(records: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """Turn accepted records into the rows that are loaded; here, as they are.

    `records` has one column for each field of the contract. Return a relation with the
    columns of KEY in it, each key once. Relations have project, filter, join and aggregate;
    what is given them is DuckDB's SQL.
    """
    return records
'''


def infer_contract(source: str | None = None, force: bool = False) -> None:
    """`blueprint infer-contract`: write contract.py from `source`, else from the manifest's.

    Raises:
        Problem: somebody has edited contract.py, and `force` is not set; or no source is named.
        PipelineError: the source cannot be read, or holds nothing to infer from.
    """
    if source is None:
        from blueprint import manifest

        source = _source_of(manifest.load().first)
    edited = _is_edited(CONTRACT)
    if edited and not force:
        raise Problem(
            f"{_shown(CONTRACT)} has been edited, so it is not replaced.\n"
            "To have it replaced by an inferred one: blueprint infer-contract --force"
        )
    _infer_and_write(source)
    if edited:
        show.warn(f"{_shown(CONTRACT)} was replaced, edits and all; git has what was committed")


def follow_source(deployment: Mapping[str, Any]) -> bool:
    """Phase 1: infer the contract where the one that stands is of another source, and nobody's.

    That is the sample's, as it was shipped, while the source is not the sample; or one that
    was inferred from another source and not edited. Call it before anything imports the
    contract. Gives whether it was written.

    Raises:
        Problem: the manifest names no source.
        PipelineError: the source cannot be read, or holds nothing to infer from.
    """
    source = _source_of(deployment)
    text = CONTRACT.read_text("utf-8") if CONTRACT.exists() else ""
    if _is(text, SHIPPED_CONTRACT):
        if resolve(source) == resolve(SAMPLE):
            return False
        show.doing(f"{_shown(CONTRACT)} is the sample's: inferring one from {_called(source)}")
    else:
        before = inferred_from(text)
        if before is None or before == _called(source):
            return False
        show.doing(f"{_shown(CONTRACT)} was inferred from {before}: inferring it anew")
    _infer_and_write(source)
    return True


def _source_of(deployment: Mapping[str, Any]) -> str:
    source = (deployment.get("parameters") or {}).get("source_url")
    if not isinstance(source, str) or not source:
        raise Problem("prefect.yaml gives this deployment no source_url: set it under parameters.")
    return source


def _infer_and_write(source: str) -> None:
    # It knows how to ask this source; and what it needs may be Prefect.
    from data_pipeline.config import ExtractConfig
    from data_pipeline.extract import extract

    say = show.Progress()
    with tempfile.TemporaryDirectory(prefix=WORK_PREFIX) as folder:
        config = ExtractConfig(source_url=source)
        found = patiently(lambda: extract(config, Path(folder), say))
        inferred = infer(found, date.today(), say, _called(source))
    _adapt_transform()
    _write(CONTRACT, inferred.text)
    for name in ("contract", "transform"):
        sys.modules.pop(f"data_pipeline.{name}", None)
    _report(inferred)


def patiently(fetch: Callable[[], SourceFile]) -> SourceFile:
    """What a task of the flow gets by Prefect's retries: three more tries of what may pass."""
    for again in (True, True, True, False):
        try:
            return fetch()
        except SourceError as error:
            if not (error.transient and again):
                raise
            show.doing(f"the source does not answer, trying again: {error}")
            time.sleep(_PAUSE)
    raise AssertionError("the last try returns or raises")


def _adapt_transform() -> None:
    """The shipped transform is for the sample's orders alone."""
    text = TRANSFORM.read_text("utf-8") if TRANSFORM.exists() else ""
    if not text or _is(text, SHIPPED_TRANSFORM):
        _write(TRANSFORM, PASS_THROUGH)
        show.ok(f"{_shown(TRANSFORM)} now hands on the records as they are")
    elif not _is(text, fingerprint(PASS_THROUGH)):
        show.warn(f"{_shown(TRANSFORM)} has been edited and is kept: does it fit the new contract?")


def _report(inferred: Inferred) -> None:
    key = ", ".join(inferred.key)
    show.ok(
        f"{_shown(CONTRACT)}: {len(inferred.columns)} columns, inferred from "
        f"{inferred.records:,} records, every one of which it accepts"
    )
    if key:
        show.ok(f"table {inferred.table}, key {key}: unique and never null over the whole source")
    else:
        show.warn(
            f"table {inferred.table}, no key: no column named like one is unique and never null, "
            "so each run replaces the whole table"
        )
    if inferred.faulty:
        show.warn(
            f"{inferred.faulty:,} records were passed over, since they are none; "
            f"{inferred.first_fault}"
        )
    if inferred.widened:
        shown = ", ".join(map(repr, inferred.widened[:5]))
        show.warn(f"columns of a wider type than was hoped, for all records to fit: {shown}")


def _is_edited(path: Path) -> bool:
    if not path.exists():
        return False
    text = path.read_text("utf-8")
    return not _is(text, SHIPPED_CONTRACT) and inferred_from(text) is None


def _is(text: str, known: str) -> bool:
    try:
        return fingerprint(text) == known
    except (SyntaxError, ValueError):
        return False


def _called(source: str) -> str:
    return without_secrets(source)


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _write(path: Path, text: str) -> None:
    """Replace a file at once: a run that begins meanwhile reads the old or the new one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, "utf-8", newline="\n")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
