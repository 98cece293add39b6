"""The formats a source may have, and how each is recognised. `ingest.readers` reads them."""

import codecs
import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from ingest.errors import SourceError

# A longer record is refused rather than held in memory, in bytes.
MAX_RECORD = 16 * 1024 * 1024
_BINARY = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"PK\x03\x04": "a ZIP archive (or an Excel workbook)",
    b"PAR1": "Parquet",
}
_WIDE = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Format(StrEnum):
    """A format of records; the value is also the suffix of a file in it."""

    NDJSON = "ndjson"
    JSON = "json"
    CSV = "csv"


_BY_CONTENT_TYPE = {
    "application/x-ndjson": Format.NDJSON,
    "application/ndjson": Format.NDJSON,
    "application/jsonl": Format.NDJSON,
    "application/x-jsonlines": Format.NDJSON,
    "application/json": Format.JSON,
    "text/json": Format.JSON,
    "text/csv": Format.CSV,
    "application/csv": Format.CSV,
}
_BY_SUFFIX = {
    ".ndjson": Format.NDJSON,
    ".jsonl": Format.NDJSON,
    ".json": Format.JSON,
    ".csv": Format.CSV,
}


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One record as it was read, before the contract sees it.

    position: from 1; the line in NDJSON and CSV (its last, where it has several), the
        place in the array in JSON.
    value: the parsed record; what a refused one held, as far as it could be parsed.
    line: the bytes it came from, in NDJSON.
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
        return json.dumps(self.value, ensure_ascii=False)


def detect(path: Path, content_type: str, name: str, shown: str) -> Format:
    """Name the format by content type, else by the name's suffix, else by the first byte.

    Raises SourceError for what can be none of them, and says what it looks like.
    """
    with path.open("rb") as file:
        head = file.read(65536)
    _refuse_foreign(head, shown)
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    mime = content_type.partition(";")[0].strip().lower()
    found = _BY_CONTENT_TYPE.get(mime) or _BY_SUFFIX.get(PurePosixPath(name).suffix.lower())
    # Servers call NDJSON application/json, and the reverse: the first byte tells them apart.
    if found is not Format.CSV:
        if start.startswith(b"["):
            return Format.JSON
        if start.startswith(b"{"):
            return Format.NDJSON if _first_line_is_whole(head) else _no_array(shown)
    if found:
        return found
    if b"," in start.partition(b"\n")[0]:
        return Format.CSV
    if not start:
        return Format.NDJSON
    raise SourceError(
        f"{shown} is in no known format: it begins with {start[:20]!r}. It must be NDJSON, a JSON "
        "array of objects, or CSV with commas and a header; name the file .ndjson, .json or .csv."
    )


def _refuse_foreign(head: bytes, shown: str) -> None:
    if head.startswith(_WIDE):
        raise SourceError(f"{shown} is encoded in UTF-16 or UTF-32. Save it as UTF-8.")
    for magic, kind in _BINARY.items():
        if head.startswith(magic):
            raise SourceError(f"{shown} is {kind}, which is not read here. Unpack or convert it.")
    if head.lstrip()[:1] == b"<":
        raise SourceError(
            f"{shown} is HTML or XML, not records: {head.lstrip()[:60]!r}. An error or login page "
            "is often served so: open source_url in a browser."
        )


def _first_line_is_whole(head: bytes) -> bool:
    first, newline, _ = head.removeprefix(codecs.BOM_UTF8).lstrip().partition(b"\n")
    if not newline and len(head) >= 65536:
        return True  # one long line: let the reader judge it
    # A broken first line is a broken record; only "{" or "{ "key": [" begins a spread object.
    return first.rstrip().endswith(b"}") or not first.rstrip().endswith((b"{", b"[", b","))


def _no_array(shown: str) -> NoReturn:
    raise SourceError(
        f"{shown} is one JSON object over several lines, not an array of records. Give the "
        "array alone, or one object per line."
    )
