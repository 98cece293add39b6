"""Infer a contract from the whole of a source, and prove it on every record."""

from __future__ import annotations

import itertools
import tempfile
from dataclasses import dataclass, replace
from datetime import date
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

from pydantic import ValidationError

from ingest.contract import Contract
from ingest.errors import ContractError, SourceError
from ingest.formats import Format
from ingest.inference.checking import check
from ingest.inference.code import Code
from ingest.inference.keys import Candidates, chosen, unique_in_parquet
from ingest.inference.marks import signed
from ingest.inference.names import table_name
from ingest.inference.parquet import parquet_shapes
from ingest.inference.records import Reading
from ingest.inference.seen import Members
from ingest.inference.shapes import ANY, TEXT, Choice, Part, Parts, Plain, parts_of
from ingest.say import Say, silent
from ingest.schema import columns_of
from ingest.steps import SourceFile

# A table with more columns is of no use to anybody.
MOST_FIELDS = 10_000
# So many misfits are enough to widen what they say, and read again.
_MISFITS = 1000


@dataclass(frozen=True)
class Inferred:
    """A contract that accepts every sound record of its source.

    text: the file; contract: what it says. records: how many it was inferred from.
    faulty: how many were passed over, since they are no records at all; first_fault: why the
    first of them is none. widened: fields whose first type did not hold for all records.
    changed: columns of which some value lands as another, and what it becomes.
    """

    text: str
    contract: Contract
    records: int
    faulty: int
    first_fault: str | None
    widened: tuple[str, ...]
    changed: tuple[str, ...]

    @property
    def columns(self) -> dict[str, str]:
        """Each column's name with its DuckDB type."""
        return columns_of(self.contract.record)

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that name a row, if there are any."""
        return self.contract.key

    @property
    def table(self) -> str:
        """The name of the table."""
        return self.contract.table


def infer(
    source: SourceFile,
    today: date,
    say: Say = silent,
    called: str | None = None,
    table: str | None = None,
) -> Inferred:
    """Infer the contract of a source.

    table: its name; else it is named after the source's file. called: what the contract calls its source, without secrets; else `source.url`. Raises
    SourceError for a source without records and for one that cannot be read, ContractError for
    one that no contract can be written for.
    """
    reading = Reading(source)
    called = called or source.url
    named = table_name(called)
    widened: set[str] = set()
    with tempfile.TemporaryDirectory(prefix="infer-") as folder:
        parts, unique, records = _observed(reading, Path(folder), say)
        for number in itertools.count():
            code = Code(parts, chosen(unique, parts, named), table or named)
            text = signed(code.text, called, today, records)
            check(text, code.names)
            contract = _loaded(text, Path(folder) / f"contract{number}.py")
            misfits = _misfits(contract, reading, say)
            if not misfits:
                break
            parts = _wider(parts, misfits, source)
            widened |= misfits
    columns_of(contract.record)  # raises for what no table can hold
    return Inferred(
        text,
        contract,
        records,
        reading.faulty,
        reading.first_fault,
        tuple(sorted(widened)),
        reading.changed,
    )


def _observed(reading: Reading, work: Path, say: Say) -> tuple[Parts, list[str], int]:
    """What all records say of the fields, which of them are unique, and how many there are."""
    if reading.source.format is Format.PARQUET:
        parts, rows, reading.changed = parquet_shapes(reading.source)
        _need(rows, reading)
        names = [part.name for part in parts.parts]
        return parts, unique_in_parquet(reading.source, names, work), rows
    members = Members(reading.source.format is Format.CSV, 0, most=MOST_FIELDS)
    candidates = Candidates(work)
    for block in reading.blocks():
        members.add(block)
        if members.any:
            raise ContractError(
                f"{reading.source.url} has more than {MOST_FIELDS:,} different fields, which is no "
                "table. Are the records keyed by their ids? Reshape it in "
                "extract.py, or write contract.py by hand."
            )
        candidates.add(block)
        say(f"Looked at {reading.records:,} records")
    _need(reading.records, reading)
    return _in_order(parts_of(members), reading), candidates.unique(), reading.records


def _in_order(parts: Parts, reading: Reading) -> Parts:
    """The fields, a CSV's in the order of its header, with those that are empty in every row."""
    header = {name: place for place, name in enumerate(reading.columns())}
    known = {part.name for part in parts.parts}
    empty = [Part(name, TEXT, True) for name in header if name not in known]
    found = sorted([*parts.parts, *empty], key=lambda part: header.get(part.name, 0))
    if not found:
        raise SourceError(f"The records of {reading.source.url} have no field: all are empty.")
    return Parts(tuple(found))


def _need(records: int, reading: Reading) -> None:
    if not records:
        reason = f" The first that was passed over is {reading.first_fault}."
        raise SourceError(
            f"{reading.source.url} holds no record to infer a contract from."
            + (reason if reading.first_fault else " Is source_url right?")
        )


def _loaded(text: str, path: Path) -> Contract:
    """The contract as the pipeline will import it."""
    path.write_text(text, "utf-8")
    loader = SourceFileLoader(path.stem, str(path))
    module = ModuleType(loader.name)
    loader.exec_module(module)
    return module.CONTRACT


def _misfits(contract: Contract, reading: Reading, say: Say) -> set[str]:
    """The fields by which the contract refuses records of the source."""
    judge = contract.record.model_validate
    found: set[str] = set()
    refused = 0
    for block in reading.blocks():
        for record in block:
            try:
                judge(record)
            except ValidationError as error:
                found |= {str(fault["loc"][0]) for fault in error.errors(include_url=False)}
                refused += 1
        say(f"Proved the contract on {reading.records:,} records")
        if refused >= _MISFITS:
            break
    return found


def _wider(parts: Parts, misfits: set[str], source: SourceFile) -> Parts:
    """The fields, those that refuse a record as text, and where that was tried as anything."""
    wider = Parts(
        tuple(_wider_part(part) if part.name in misfits else part for part in parts.parts)
    )
    if wider == parts:
        raise ContractError(
            f"No contract could be inferred that accepts every record of {source.url}: these fields "
            f"are refused whatever their type: {sorted(misfits)}. Write "
            "contract.py by hand, and report this."
        )
    return wider


def _wider_part(part: Part) -> Part:
    shape = part.shape
    was_text = isinstance(shape, Choice) or (isinstance(shape, Plain) and shape != TEXT)
    return replace(part, shape=TEXT) if was_text else replace(part, shape=ANY, optional=True)
