"""Read a file record by record, with one reader for each format."""

import codecs
import csv
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

import ijson

from ingest.errors import SourceError
from ingest.formats import MAX_RECORD, Format, RawRecord


def read(path: Path, fmt: Format, shown: str) -> Iterator[RawRecord]:
    """Yield the records of a file one by one, in its order.

    What spoils one record is yielded as its `fault`; what spoils the rest of the file
    raises SourceError.
    """
    with path.open("rb") as file:
        if fmt is Format.NDJSON:
            yield from _read_ndjson(file)
        elif fmt is Format.JSON:
            yield from _read_json(file, shown)
        else:
            yield from _read_csv(file, shown)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def _read_ndjson(file: io.BufferedReader) -> Iterator[RawRecord]:
    position = 0
    while line := file.readline(MAX_RECORD + 1):
        position += 1
        if position == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        if len(line) > MAX_RECORD and not line.endswith(b"\n"):
            while (rest := file.readline(MAX_RECORD)) and not rest.endswith(b"\n"):
                pass
            fault = f"the line is longer than {MAX_RECORD // 2**20} MiB; its start is kept"
            yield RawRecord(position, None, line[:1000], fault)
        elif line.strip():
            yield _parse_line(position, line)


def _parse_line(position: int, line: bytes) -> RawRecord:
    try:
        value = _DECODER.decode(line.decode("utf-8").strip())
    except UnicodeDecodeError as error:
        fault = f"the line is not UTF-8: byte {error.start + 1} is {line[error.start]:#04x}"
        return RawRecord(position, None, line, fault)
    except RecursionError:
        return RawRecord(position, None, line, "the line is nested too deeply")
    except ValueError as error:
        return RawRecord(position, None, line, f"the line is not JSON: {error}")
    return RawRecord(position, value, line, _object_fault(value))


def _object_fault(value: Any) -> str | None:
    if isinstance(value, dict):
        return None
    return f"a record must be an object, this is {json.dumps(value)[:40]}"


def _read_json(file: io.BufferedReader, shown: str) -> Iterator[RawRecord]:
    if file.peek(3).startswith(codecs.BOM_UTF8):
        file.read(3)
    position = 0
    try:
        for value in ijson.items(file, "item"):
            position += 1
            value = _with_floats(value)
            yield RawRecord(position, value, None, _object_fault(value))
    except (ijson.JSONError, UnicodeDecodeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else "it ends too early"
        raise SourceError(
            f"{shown} is not a whole JSON array in UTF-8: after record {position}: {reason}. "
            "Get the file again; if it is the same, its producer must mend it."
        ) from error


def _with_floats(value: Any) -> Any:
    """Turn ijson's Decimal into the float that `json.loads` would have given."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: _with_floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_floats(item) for item in value]
    return value


def _read_csv(file: io.BufferedReader, shown: str) -> Iterator[RawRecord]:
    csv.field_size_limit(MAX_RECORD)
    with io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
        rows = csv.reader(text, strict=True)
        try:
            header = csv_header(next(rows, []), shown)
            for cells in rows:
                if not cells:
                    continue
                if len(cells) != len(header):
                    fault = f"the row has {len(cells)} fields, the header {len(header)}"
                    yield RawRecord(rows.line_num, cells, None, fault)
                    continue
                value = {name: cell for name, cell in zip(header, cells, strict=True) if cell}
                yield RawRecord(rows.line_num, value)
        except csv.Error as error:
            raise SourceError(
                f"{shown} is not sound CSV at line {rows.line_num}: {error}. An unclosed quote "
                "swallows all that follows it: mend that line."
            ) from error
        except UnicodeDecodeError as error:
            raise SourceError(
                f"{shown} is not UTF-8 after line {rows.line_num}: {error.reason} "
                f"({error.object[error.start]:#04x}). Save it as UTF-8."
            ) from error


def csv_header(cells: list[str], shown: str) -> list[str]:
    """Check a CSV's header row: present, every column named, no name twice."""
    if not cells:
        raise SourceError(f"{shown} has no header row: its first line must name the columns.")
    if any(not cell.strip() for cell in cells):
        raise SourceError(f"The header of {shown} has a column without a name: {cells}.")
    twice = sorted({cell for cell in cells if cells.count(cell) > 1})
    if twice:
        raise SourceError(f"The header of {shown} names a column twice: {', '.join(twice)}.")
    return cells
