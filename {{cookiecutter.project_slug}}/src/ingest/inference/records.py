"""A source as the inference reads it: in blocks, without what no table could hold."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from ingest.cells import CsvBlocks
from ingest.formats import Format, RawRecord
from ingest.gate.pydantic_way import unwritable
from ingest.opening import opened
from ingest.readers import read
from ingest.steps import SourceFile

_AT_ONCE = 10_000
# A record with fewer brackets is nested less deep than what Pydantic writes: 250 levels and more.
_SHALLOW = 200


@dataclass
class Reading:
    """A source that is read again and again; `faulty` counts what is no record, or no text.

    changed: the columns of which some value cannot be read as it is, and what it becomes.
    """

    source: SourceFile
    records: int = 0
    faulty: int = 0
    first_fault: str | None = None
    changed: tuple[str, ...] = ()

    def blocks(self) -> Iterator[list[dict[str, Any]]]:
        """The sound records, some at a time. Raises SourceError as `read` does."""
        self.records = self.faulty = 0
        raws = read(self.source)
        while some := list(itertools.islice(raws, _AT_ONCE)):
            block = [raw.value for raw in some if self._is_sound(raw)]
            self.records += len(block)
            if block:
                yield block

    def columns(self) -> list[str]:
        """The columns that a CSV names in its header, in which an empty cell is no value."""
        if self.source.format is not Format.CSV:
            return []
        with opened(self.source) as stream:
            return CsvBlocks(stream, self.source, 1).header

    def _is_sound(self, raw: RawRecord) -> bool:
        fault = raw.fault or self._unwritable(raw)
        if fault is None:
            return True
        self.faulty += 1
        self.first_fault = self.first_fault or f"record {raw.position}: {fault}"
        return False

    def _unwritable(self, raw: RawRecord) -> str | None:
        """Why the gate could not write the record, whatever the contract, or None.

        Only JSON can hold half of a surrogate pair, or more levels than can be written.
        """
        if self.source.format not in (Format.NDJSON, Format.JSON):
            return None
        line = raw.line or b""
        if b"\\u" not in line and line.count(b"[") + line.count(b"{") < _SHALLOW:
            return None
        try:
            to_json(raw.value)
        except ValueError as error:
            return unwritable(error)
        return None
