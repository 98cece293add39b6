"""The formats a source may have. `ingest.detecting` recognises them."""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

# A longer record is refused rather than held in memory, in bytes.
MAX_RECORD = 16 * 1024 * 1024
# What parts the fields of a CSV, as far as it is recognised. A comma stands last, since it
# stands within names and numbers most often.
DELIMITERS = ";\t|,"


class Format(StrEnum):
    """A format of records; the value is also the suffix of a file in it."""

    NDJSON = "ndjson"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


class Compression(StrEnum):
    """What a file is packed in."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"


@dataclass(frozen=True)
class Reading:
    """How a source is to be read, where that is not to be recognised.

    format: whatever content type, name and first bytes say. records_key: the key that holds
    the records, in a JSON object (`result.orders` where it is deeper). delimiter: of CSV.
    encoding: of the text, as Python names it.
    """

    format: Format | None = None
    records_key: str | None = None
    delimiter: str | None = None
    encoding: str = "utf-8"


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One record as it was read, before the contract sees it.

    position: from 1; the line in NDJSON, the place among the records elsewhere.
    value: the parsed record; what a refused one held, as far as it could be parsed.
    line: the bytes it came from, in JSON.
    fault: why it cannot be a record at all.
    """

    position: int
    value: Any
    line: bytes | None = None
    fault: str | None = None

    def text(self) -> str:
        """The record as text, for the quarantine; undecodable bytes are written as \\xNN."""
        if self.line is not None:
            return self.line.decode("utf-8", errors="backslashreplace").rstrip("\r\n")
        return json.dumps(self.value, ensure_ascii=False, default=str)
