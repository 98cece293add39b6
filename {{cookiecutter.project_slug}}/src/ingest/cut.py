"""Cut a small file from the beginning of a source, its records untouched."""

import csv
import io
import itertools
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ingest.formats import Format
from ingest.readers import read
from ingest.sources import fetch
from ingest.steps import SourceFile


@dataclass(frozen=True)
class Cut:
    """A file with the first `count` records of a source, in the source's format."""

    path: Path
    count: int


def cut(source: str, destination: Path, records: int) -> Cut:
    """Write the first `records` records of `source` next to `destination`.

    The name is that of `destination` with the suffix of the format. Records that the
    contract refuses stay as they are, to be refused again. `source` is a URL or an
    absolute path. Raises SourceError.
    """
    with tempfile.TemporaryDirectory(prefix="cut-") as folder:
        found = fetch(source, Path(folder))
        path = destination.with_suffix(f".{found.format}")
        path.parent.mkdir(parents=True, exist_ok=True)
        writer = {
            Format.NDJSON: _cut_lines,
            Format.JSON: _cut_array,
            Format.CSV: _cut_rows,
        }[found.format]
        return Cut(path, writer(found, path, records))


def _cut_lines(found: SourceFile, path: Path, records: int) -> int:
    first = list(itertools.islice(read(found.path, found.format, found.url), records))
    with path.open("wb") as out:
        for raw in first:
            out.write((raw.line or b"").rstrip(b"\r\n") + b"\n")
    return len(first)


def _cut_array(found: SourceFile, path: Path, records: int) -> int:
    first = itertools.islice(read(found.path, found.format, found.url), records)
    values = [raw.value for raw in first]
    path.write_text(json.dumps(values, ensure_ascii=False, indent=1), encoding="utf-8")
    return len(values)


def _cut_rows(found: SourceFile, path: Path, records: int) -> int:
    """Copy the lines that the CSV reader takes, so that quotes stay as they are."""
    taken: list[str] = []

    def lines(text: io.TextIOBase) -> Iterator[str]:
        for line in text:
            taken.append(line)
            yield line

    with found.path.open(encoding="utf-8-sig", newline="") as text:
        rows = csv.reader(lines(text), strict=True)
        count = sum(1 for _ in itertools.islice(filter(None, rows), records + 1))
    path.write_text("".join(taken), encoding="utf-8", newline="")
    return max(count - 1, 0)
