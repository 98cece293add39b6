"""Recognise a source's format from its content type, its name and its first bytes."""

import codecs
import csv
import io
import itertools
import json
from dataclasses import replace
from pathlib import Path, PurePosixPath

from ingest.arrays import end_of_spaces
from ingest.errors import SourceError
from ingest.formats import DELIMITERS, Compression, Format, Reading
from ingest.opening import opened
from ingest.steps import SourceFile

_HEAD = 65536
_PACKED = {b"\x1f\x8b": Compression.GZIP, b"\x28\xb5\x2f\xfd": Compression.ZSTD}
_WIDE = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
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
        head = stream.read(_HEAD)
    if head.startswith(b"PAR1"):
        return replace(source, format=Format.PARQUET)
    _refuse_foreign(head, source)
    text = head.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace").lstrip()
    found = reading.format or _format(text, content_type, name, source)
    if found is Format.CSV:
        delimiter = reading.delimiter or _delimiter(text, name, len(head) < _HEAD)
        return replace(source, format=found, delimiter=delimiter)
    if found is Format.JSON and text.startswith("{") and not reading.records_key:
        return replace(source, format=found, records_key=_records_key(text, shown))
    return replace(source, format=found)


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
        raise SourceError(f"{source.url} is no Parquet file: it begins with {text[:20]!r}.")
    # Servers call NDJSON application/json, and the reverse: the first bytes tell them apart.
    if found is not Format.CSV:
        if text.startswith("["):
            return Format.JSON
        if text.startswith("{"):
            return _object(text, _BY_SUFFIX.get(last) or found, source)
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


def _object(text: str, said: Format | None, source: SourceFile) -> Format:
    """Whether what begins with an object is one in each line, or one that holds them all."""
    if source.records_key:
        return Format.JSON
    first, newline, rest = text.partition("\n")
    whole = first.rstrip().endswith("}") if newline else len(text.encode()) < _HEAD
    if not whole and newline:
        # A broken first line is a broken record; only "{" or "{ "key": [" begins a spread object.
        whole = not first.rstrip().endswith(("{", "[", ","))
    several = newline and rest.strip()
    if said is Format.NDJSON or (whole and several):
        return Format.NDJSON
    if whole and (said is not Format.JSON or not _candidates(text)):
        return Format.NDJSON  # one line, one record
    if not newline and not _candidates(text):
        return Format.NDJSON  # one long line: let the reader judge it
    return Format.JSON


def _records_key(text: str, shown: str) -> str:
    found = _candidates(text)
    if len(found) == 1:
        return found[0]
    what = f"several arrays: {', '.join(found)}" if found else "no array of records at its top"
    raise SourceError(
        f"{shown} is one JSON object with {what}. Name the key that holds the records in "
        "extract.py: Reading(records_key='…'), or give the array alone, or one "
        "object per line."
    )


def _candidates(text: str) -> list[str]:
    """The keys of the object at the text's beginning whose value begins as an array of objects."""
    scan, found, at = json.JSONDecoder().raw_decode, [], 1
    while True:
        at = end_of_spaces(text, at)
        try:
            key, at = scan(text, at)
            at = end_of_spaces(text, at)
            value = end_of_spaces(text, at + 1)
            if text[at : at + 1] != ":" or not isinstance(key, str):
                return found
            if text.startswith("[", value):
                inner = end_of_spaces(text, value + 1)
                if text[inner : inner + 1] in ("{", "]", ""):
                    found.append(key)
            _, at = scan(text, value)
            at = end_of_spaces(text, at)
        except (ValueError, RecursionError):  # what was read ends here
            return found
        if text[at : at + 1] != ",":
            return found
        at += 1


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
