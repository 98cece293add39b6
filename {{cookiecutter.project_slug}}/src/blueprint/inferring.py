"""Writes contract.py from the source, and never over what a person has written."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pydantic import ValidationError

from blueprint import show
from blueprint.pipelines import copies, noted, tables
from blueprint.pipelines.which import FIRST, package_of, part, path_of
from blueprint.project import Problem
from ingest.errors import SourceError
from ingest.inference import Inferred, infer, inferred_from, table_name
from ingest.sources import without_secrets
from ingest.steps import SourceFile
from runtime.project import ROOT, WORK_PREFIX, resolve

SAMPLE = "data/sample_orders.ndjson"
_PAUSE = 2.0  # seconds between two tries


def infer_contract(
    source: str | None = None, force: bool = False, pipeline: str | None = None
) -> None:
    """`blueprint infer-contract`: write contract.py from `source`, else from the manifest's.

    Raises:
        Problem: somebody has edited contract.py, and `force` is not set; or no source is named.
        PipelineError: the source cannot be read, or holds nothing to infer from.
    """
    from blueprint import manifest

    package = manifest.packages()[0]
    if source is None or pipeline is not None:
        deployment = manifest.load().chosen(pipeline)
        package = package_of(deployment)
        source = source or _source_of(deployment)
    contract = path_of(package, "contract")
    edited = _is_edited(contract, package)
    if edited and not force:
        named = f" --pipeline {pipeline}" if pipeline else ""
        raise Problem(
            f"{_shown(contract)} has been edited, so it is not replaced.\n"
            f"To have it replaced by an inferred one: blueprint infer-contract{named} --force"
        )
    _infer_and_write(source, package)
    if edited:
        show.warn(f"{_shown(contract)} was replaced, edits and all; git has what was committed")


def follow_source(deployment: Mapping[str, Any]) -> bool:
    """Phase 1: infer the contract where the one that stands is of another source, and nobody's.

    That is the sample's, as it was shipped, while the source is not the sample; or one that
    was inferred from another source and not edited. Call it before anything imports the
    contract. Gives whether it was written.

    Raises:
        Problem: the manifest names no source.
        PipelineError: the source cannot be read, or holds nothing to infer from.
    """
    source, package = _source_of(deployment), package_of(deployment)
    contract = path_of(package, "contract")
    text = contract.read_text("utf-8") if contract.exists() else ""
    if noted.is_the_samples(package, "contract", text):
        if resolve(source) == resolve(SAMPLE):
            return False
        show.doing(f"{_shown(contract)} is the sample's: inferring one from {_called(source)}")
    else:
        before = inferred_from(text)
        if before is None or before == _called(source):
            return False
        show.doing(f"{_shown(contract)} was inferred from {before}: inferring it anew")
    _infer_and_write(source, package)
    return True


def _source_of(deployment: Mapping[str, Any]) -> str:
    source = (deployment.get("parameters") or {}).get("source_url")
    if not isinstance(source, str) or not source:
        raise Problem("prefect.yaml gives this deployment no source_url: set it under parameters.")
    return source


def _infer_and_write(source: str, package: str) -> None:
    contract = path_of(package, "contract")
    # That of a pipeline that was added is its own in a warehouse that it shares.
    table = _free_table(source) if package == FIRST else copies.table_in(contract) or package
    inferred = inferred_of(source, package, table)
    _adapt_transform(package)
    _write(contract, inferred.text)
    for name in ("contract", "transform"):
        # Python keeps it in two places.
        sys.modules.pop(f"{package}.{name}", None)
        vars(sys.modules.get(package, SimpleNamespace())).pop(name, None)
    report(inferred, _shown(contract))


def _free_table(source: str) -> str | None:
    """The first pipeline's table where the one that its source names is another's; else None."""
    from blueprint import manifest

    named = table_name(_called(source))
    others = [one for one in manifest.packages() if one != FIRST]
    found = tables.free(named, others)
    if found == named:
        return None
    show.warn(f"another pipeline loads the table {named}: that of {FIRST} is called {found}")
    return found


def inferred_of(source: str, package: str, table: str | None) -> Inferred:
    """The contract of a source, which the package's own extract.py knows how to ask.

    Raises:
        Problem: it is no source.
        PipelineError: it cannot be read, or holds nothing to infer from.
    """
    config = asked(source, package)
    extract = part(package, "extract").extract  # what it needs may be Prefect
    say = show.Progress()
    with tempfile.TemporaryDirectory(prefix=WORK_PREFIX) as folder:
        found = patiently(lambda: extract(config, Path(folder), say))
        if found.sole_key:
            show.ok(f"{found.url}: {found.kind}")
        return infer(found, date.today(), say, _called(source), table)


def asked(source: str, package: str) -> Any:
    """The extraction of a source, as the package's config.py has it. Raises Problem."""
    try:
        return part(package, "config").ExtractConfig(source_url=source)
    except ValidationError as error:
        told = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
        raise Problem(told) from None


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


def _adapt_transform(package: str) -> None:
    """The shipped transform is for the sample's orders alone."""
    transform = path_of(package, "transform")
    text = transform.read_text("utf-8") if transform.exists() else ""
    if not text or noted.is_the_samples(package, "transform", text):
        _write(transform, copies.PASS_THROUGH)
        show.ok(f"{_shown(transform)} now hands on the records as they are")
    elif not copies.says_the_same(text, copies.PASS_THROUGH):
        show.warn(f"{_shown(transform)} has been edited and is kept: does it fit the new contract?")


def report(inferred: Inferred, shown: str) -> None:
    """Tell what was inferred, and what a person should know of it. shown: the contract's file."""
    key = ", ".join(inferred.key)
    show.ok(
        f"{shown}: {len(inferred.columns)} columns, inferred from "
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
    for told in inferred.changed[:5]:
        show.warn(f"column {told} (docs/SOURCES.md, Formats, says why)")


def _is_edited(path: Path, package: str) -> bool:
    if not path.exists():
        return False
    text = path.read_text("utf-8")
    return not noted.is_the_samples(package, "contract", text) and inferred_from(text) is None


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
