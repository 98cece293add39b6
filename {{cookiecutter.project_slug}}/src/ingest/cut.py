"""Cut a small file from the beginning of a source, its records untouched."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from ingest.duck import literal, parquet_table
from ingest.formats import Format, RawRecord
from ingest.opening import opened
from ingest.readers import CsvBlocks, read
from ingest.steps import SourceFile


@dataclass(frozen=True)
class Cut:
    """A file with the first `count` records of a source, in the source's format."""

    path: Path
    count: int


def cut(
    source: SourceFile,
    destination: Path,
    records: int,
    keep: Callable[[RawRecord], bool] = lambda _: True,
) -> Cut:
    """Write the first `records` records of `source` that `keep` wants next to `destination`.

    The name is that of `destination` with the suffix of the format; what was packed is not.
    What is written is as it was: unless `keep` passes over them, records that the contract
    refuses are refused again. Raises SourceError.
    """
    path = destination.with_suffix(f".{source.format}")
    path.parent.mkdir(parents=True, exist_ok=True)
    first = list(itertools.islice(filter(keep, read(source)), records))
    if source.format is Format.PARQUET:
        _copy_rows(source, [raw.position - 1 for raw in first], path)
    elif source.format is Format.CSV:
        _write_rows(source, first, path)
    else:
        lines = [(raw.line or b"").rstrip(b"\r\n") for raw in first]
        text = b"".join(line + b"\n" for line in lines)
        if source.format is Format.JSON:
            text = _as_array(lines, source)
        if source.encoding != "utf-8":
            text = text.decode("utf-8").encode(source.encoding)
        path.write_bytes(text)
    return Cut(path, len(first))


def _as_array(lines: list[bytes], source: SourceFile) -> bytes:
    text = b"[" + b",\n".join(lines) + b"]"
    for key in reversed(source.keys):
        text = b"".join((b"{", json.dumps(key).encode(), b": ", text, b"}"))
    return text + b"\n"


def _write_rows(source: SourceFile, rows: list[RawRecord], path: Path) -> None:
    with opened(source) as stream:
        header = CsvBlocks(stream, source, 1).header
    with path.open("w", encoding=source.encoding, newline="") as out:
        writer = csv.writer(out, delimiter=source.delimiter, lineterminator="\n")
        writer.writerow(header)
        for raw in rows:
            # A row of another length than the header is kept as its cells.
            cells = raw.value if raw.fault else [raw.value.get(name, "") for name in header]
            writer.writerow(cells)


def _copy_rows(source: SourceFile, places: list[int], path: Path) -> None:
    table = parquet_table(source.path)
    with duckdb.connect() as connection:
        taken = {str(name).lower() for name in connection.sql(f"FROM {table}").columns}
        number = next(name for n in itertools.count() if (name := f"n{n}") not in taken)
        # The reader's own file_row_number is an error where the file has such a column.
        rows = (
            f"SELECT *, row_number() OVER () - 1 AS {number} "
            f"FROM (FROM {table} LIMIT {max(places, default=-1) + 1})"
        )
        connection.execute(
            f"COPY (SELECT * EXCLUDE ({number}) FROM ({rows}) "
            f"WHERE {number} IN (SELECT unnest(?::BIGINT[]))) "
            f"TO {literal(str(path))} (FORMAT parquet)",
            [str(places)],
        )
