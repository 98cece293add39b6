"""Recognise a source's format from its content type, its name and its first bytes."""

import codecs
import csv
import io
import itertools
import re
from dataclasses import replace
from pathlib import Path, PurePosixPath

from ingest.envelope import HEAD, unwrapped
from ingest.errors import SourceError
from ingest.formats import DELIMITERS, Compression, Format, Reading
from ingest.opening import opened, skip
from ingest.steps import SourceFile

_PACKED = {b"\x1f\x8b": Compression.GZIP, b"\x28\xb5\x2f\xfd": Compression.ZSTD}
_WIDE = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_BLANK = b" \t\r\n"
_AS_JSON = re.compile(r'\[\s*[\[{]|\{\s*"[^"]*"\s*:')
_OVERRIDE = "Say what it is in extract.py: Reading(format=Format.CSV), or .JSON, or .NDJSON."
_ROWS = 100  # of a CSV that are looked at
_LINES = {
    "application/x-ndjson": Format.NDJSON,
    "application/ndjson": Format.NDJSON,
    "application/jsonl": Format.NDJSON,
    "application/x-jsonlines": Format.NDJSON,
    "application/json": Format.JSON,
    "text/json": Format.JSON,
    "text/csv": Format.CSV,
    "application/csv": Format.CSV,
    "text/tab-separated-values": Format.CSV,
    "application/vnd.apache.parquet": Format.PARQUET,
}
_BY_SUFFIX = {
    ".ndjson": Format.NDJSON,
    ".jsonl": Format.NDJSON,
    ".json": Format.JSON,
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
    ".parquet": Format.PARQUET,
}
_PACKED_SUFFIXES = {".gz", ".gzip", ".zst", ".zstd"}


def recognised(
    path: Path, content_type: str, name: str, shown: str, reading: Reading | None = None
) -> SourceFile:
    """The file as a source, all that `reading` leaves open found out.

    `name` is the source's own, `shown` is what a message calls it. Raises SourceError for
    what is in no known format, and says what it looks like; OSError as open() does.
    """
    size = path.stat().st_size
    reading = reading or Reading()
    if reading.delimiter and (len(reading.delimiter) > 1 or reading.delimiter in '"\r\n'):
        raise SourceError(
            f"{reading.delimiter!r} cannot stand between the fields of a CSV: one character can, "
            "and no quote or line break. Correct Reading(delimiter=…) in "
            "extract.py."
        )
    with path.open("rb") as file:
        start = file.read(4)
    packed = _PACKED.get(start) or _PACKED.get(start[:2])
    source = SourceFile(
        path,
        reading.format or Format.NDJSON,
        shown,
        size,
        packed or Compression.NONE,
        reading.records_key,
        reading.delimiter or ",",
        reading.encoding,
    )
    with opened(source) as stream:
        head = stream.read(HEAD)
    if head.startswith(b"PAR1"):
        return replace(source, format=Format.PARQUET)
    _refuse_foreign(head, source)
    text = head.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace").lstrip(_BLANK.decode())
    found = reading.format or _format(text, content_type, name, source)
    if not text and found is not Format.PARQUET and _is_blank(source):
        return replace(source, format=Format.NDJSON)  # in no lines: an empty source
    if found is Format.CSV:
        delimiter = reading.delimiter or _delimiter(text, name, len(head) < HEAD)
        return replace(source, format=found, delimiter=delimiter)
    if found is Format.JSON and text.startswith("{") and not reading.records_key:
        return unwrapped(source, text, len(head) < HEAD, sure=reading.format is found)
    return replace(source, format=found)


def _is_blank(source: SourceFile) -> bool:
    with opened(source) as stream:
        skip(stream, HEAD)
        return not any(piece.strip(_BLANK) for piece in iter(lambda: stream.read(HEAD), b""))


def _refuse_foreign(head: bytes, source: SourceFile) -> None:
    if head.startswith(_WIDE):
        raise SourceError(
            f"{source.url} is encoded in UTF-16 or UTF-32. Save it as UTF-8, or name its encoding "
            "in extract.py: Reading(encoding='utf-16')."
        )
    if head.startswith(b"PK\x03\x04"):
        raise SourceError(
            f"{source.url} is a ZIP archive (or an Excel workbook), which is not read here. Unpack "
            "or convert it."
        )
    if head.lstrip()[:1] == b"<":
        raise SourceError(
            f"{source.url} is HTML or XML, not records: {head.lstrip()[:60]!r}. An error or login "
            "page is often served so: open source_url in a browser."
        )


def _format(text: str, content_type: str, name: str, source: SourceFile) -> Format:
    mime = content_type.partition(";")[0].strip().lower()
    suffixes = [part.lower() for part in PurePosixPath(name).suffixes]
    last = next((part for part in reversed(suffixes) if part not in _PACKED_SUFFIXES), "")
    found = _LINES.get(mime) or _BY_SUFFIX.get(last)
    if found is Format.PARQUET:
        raise SourceError(
            f"{source.url} is no Parquet file: it begins with {text[:20]!r}. {_OVERRIDE}"
        )
    # Servers call NDJSON application/json, and the reverse: the first bytes tell them apart.
    if found is not Format.CSV:
        if text.startswith("["):
            return Format.JSON
        if text.startswith("{"):
            said = _BY_SUFFIX.get(last) or found
            lines = said is Format.NDJSON and not source.records_key
            return Format.NDJSON if lines else Format.JSON
    begins = "[ or {" if found is Format.JSON else "a header"
    if text and (found is Format.JSON or (found is Format.CSV and _AS_JSON.match(text))):
        raise SourceError(
            f"{source.url} is {found.upper()} by its name or content type, and does not begin with "
            f"{begins}, but with {text[:40]!r}. {_OVERRIDE}"
        )
    if found:
        return found
    if any(mark in text.partition("\n")[0] for mark in DELIMITERS):
        return Format.CSV
    if not text:
        return Format.NDJSON
    raise SourceError(
        f"{source.url} is in no known format: it begins with {text[:20]!r}. It must be NDJSON, JSON "
        "(an array, or an object that holds one), CSV with a header, or Parquet; plain, gzip or "
        "zstd. Name the file .ndjson, .json, .csv or .parquet."
    )


def _delimiter(text: str, name: str, whole: bool) -> str:
    """What parts the fields: the sign under which the first rows are like the header.

    Where none decides, the one that parts the header most. whole: all of the file is `text`.
    """
    if ".tsv" in PurePosixPath(name).suffixes:
        return "\t"
    lines = text if whole else text[: text.rfind("\n") + 1] or text
    fits = {mark: _fit(lines, mark) for mark in DELIMITERS}
    found = max(DELIMITERS, key=lambda mark: fits[mark])
    return found if fits[found][1] > 1 else ","


def _fit(text: str, mark: str) -> tuple[float, int]:
    """The share of the first rows that are like the header, and how many fields that has."""
    rows: list[list[str]] = []
    try:
        found = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=mark)
        rows.extend(row for row in itertools.islice(found, _ROWS) if row)
    except csv.Error as error:
        if "end of data" not in str(error):  # else a quoted field may end behind what was read
            rows.append([])
    if not rows or not rows[0]:
        line = text.partition("\n")[0]
        return 0.0, len(next(csv.reader([line], delimiter=mark), []))
    header, *others = rows
    alike = [len(header) > 1 and _is_like(header, row) for row in others]
    return sum(alike) / len(alike) if alike else 0.0, len(header)


def _is_like(header: list[str], row: list[str]) -> bool:
    """Whether both are cut alike.

    A quote within a field stood behind its beginning, and a space that only the header has
    behind a sign is one between words.
    """
    return len(row) == len(header) and not any(
        '"' in name or '"' in cell or (name.startswith(" ") and not cell.startswith(" "))
        for name, cell in zip(header, row, strict=True)
    )
