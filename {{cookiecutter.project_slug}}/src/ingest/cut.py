"""Cut a small file from the beginning of a source, its records untouched."""

import csv
import io
import itertools
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ingest.formats import Format, RawRecord
from ingest.readers import read
from ingest.sources import fetch
from ingest.steps import SourceFile


@dataclass(frozen=True)
class Cut:
    """A file with the first `count` records of a source, in the source's format."""

    path: Path
    count: int


def cut(
    source: str,
    destination: Path,
    records: int,
    keep: Callable[[RawRecord], bool] = lambda _: True,
) -> Cut:
    """Write the first `records` records of `source` that `keep` wants next to `destination`.

    The name is that of `destination` with the suffix of the format. What is written is as it
    was: unless `keep` passes over them, records that the contract refuses are refused again.
    `source` is a URL or an absolute path. Raises SourceError.
    """
    with tempfile.TemporaryDirectory(prefix="cut-") as folder:
        found = fetch(source, Path(folder))
        path = destination.with_suffix(f".{found.format}")
        path.parent.mkdir(parents=True, exist_ok=True)
        wanted = filter(keep, read(found.path, found.format, found.url))
        first = list(itertools.islice(wanted, records))
        if found.format is Format.NDJSON:
            lines = [(raw.line or b"").rstrip(b"\r\n") + b"\n" for raw in first]
            path.write_bytes(b"".join(lines))
        elif found.format is Format.JSON:
            values = [raw.value for raw in first]
            path.write_text(json.dumps(values, ensure_ascii=False, indent=1), encoding="utf-8")
        else:
            _copy_rows(found, {raw.position for raw in first}, path)
        return Cut(path, len(first))


def _copy_rows(found: SourceFile, positions: set[int], path: Path) -> None:
    """Copy the header and the rows that end at these lines, so that quotes stay as they are."""
    pending: list[str] = []
    last = max(positions, default=0)

    def lines(text: io.TextIOBase) -> Iterator[str]:
        for line in text:
            pending.append(line)
            yield line

    with (
        found.path.open(encoding="utf-8-sig", newline="") as text,
        path.open("w", encoding="utf-8", newline="") as out,
    ):
        rows = csv.reader(lines(text), strict=True)
        for number, _ in enumerate(rows):
            if number == 0 or rows.line_num in positions:
                out.writelines(pending)
            pending.clear()
            if rows.line_num >= last:
                break
