"""Read a source record by record, as Python values: what Pydantic is given.

JSON is parsed as `json.loads` does it: integers of up to 4,300 digits are exact, other numbers are
doubles, of a key that comes twice the last counts; NaN and Infinity, which it would take, are
no JSON and refused. A CSV's cells are strings, an empty one is left out. Parquet's values are
what DuckDB makes of them in Python: int, float, Decimal, str, bytes, date, datetime, dict, list;
those with nanoseconds, which Python's datetime does not hold, are ISO 8601 text.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any, BinaryIO, NoReturn

import duckdb
from duckdb.sqltypes import DuckDBPyType

from ingest.arrays import array_blocks
from ingest.blocks import Block, line_blocks, without_undecodable
from ingest.cells import CsvBlocks, csv_rows, decoded
from ingest.duck import parquet_table, quote
from ingest.errors import SourceError
from ingest.formats import Format, RawRecord
from ingest.opening import opened
from ingest.steps import SourceFile

_AT_ONCE = 10_000
NANOSECONDS = ("timestamp_ns", "time_ns")  # as DuckDB calls such types


def read(source: SourceFile) -> Iterator[RawRecord]:
    """Yield the records of a source one by one, in its order.

    What spoils one record is yielded as its `fault`; what spoils the rest of the file
    raises SourceError.
    """
    if source.format is Format.PARQUET:
        yield from _read_parquet(source)
        return
    with opened(source) as stream:
        if source.format is Format.CSV:
            cut = CsvBlocks(stream, source, _AT_ONCE)
            position = 0
            for block in cut:
                for raw in csv_records(block, source, cut.header):
                    position += 1
                    yield RawRecord(position, raw.value, None, raw.fault)
            return
        for block in json_blocks(stream, source, _AT_ONCE):
            yield from json_records(block)


def json_blocks(stream: BinaryIO, source: SourceFile, records: int) -> Iterator[Block]:
    """Blocks of the records of a source in JSON, in lines or in an array."""
    if source.format is Format.NDJSON:
        return line_blocks(stream, records)
    return array_blocks(stream, source, records)


def json_records(block: Block) -> Iterator[RawRecord]:
    """The records of a block of JSON, spoiled ones in their places."""
    block = without_undecodable(block)
    spoiled = {raw.position: raw for raw in block.spoiled}
    text = block.data.decode("utf-8")
    for position, line in enumerate(text.split("\n"), block.first or 1):
        if position in spoiled:
            yield spoiled[position]
        elif line.strip(" \t\r"):
            yield parse_line(position, line)


def csv_records(block: Block, source: SourceFile, header: list[str]) -> Iterator[RawRecord]:
    """The records of a block of CSV, their positions counted within it."""
    if block.records is not None:
        return iter(block.records)
    return csv_rows(io.StringIO(decoded(block.data, source), newline=""), source, header)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def parse_line(position: int, line: str) -> RawRecord:
    """One line of JSON as a record."""
    kept = line.encode("utf-8", "surrogatepass")
    try:
        value = _DECODER.decode(line.strip(" \t\r"))
    except RecursionError:
        return RawRecord(position, None, kept, "the line is nested too deeply")
    except ValueError as error:
        return RawRecord(position, None, kept, f"the line is not JSON: {error}")
    return RawRecord(position, value, kept, _object_fault(value))


def _object_fault(value: Any) -> str | None:
    if isinstance(value, dict):
        return None
    return f"a record must be an object, this is {json.dumps(value)[:40]}"


def _read_parquet(source: SourceFile) -> Iterator[RawRecord]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        found = open_parquet(connection, source, f"SELECT {exactly(connection, source)}")
        names = [column[0] for column in found.description or ()]
        position = 0
        while rows := found.fetchmany(_AT_ONCE):
            for values in rows:
                position += 1
                yield RawRecord(position, dict(zip(names, values, strict=True)))


def open_parquet(
    connection: duckdb.DuckDBPyConnection, source: SourceFile, what: str = ""
) -> duckdb.DuckDBPyConnection:
    """All rows of a Parquet file, or what DESCRIBE says of them. Raises SourceError."""
    try:
        return connection.execute(f"{what} FROM {parquet_table(source.path)}")
    except duckdb.Error as error:
        raise SourceError(
            f"{source.url} is no sound Parquet file: {str(error).splitlines()[0]}. Get it again; "
            "if it is the same, its producer must mend it."
        ) from error


def exactly(connection: duckdb.DuckDBPyConnection, source: SourceFile) -> str:
    """What to SELECT for all columns, so that no value is cut. Raises SourceError."""
    open_parquet(connection, source, "DESCRIBE").fetchall()
    given = connection.sql(f"FROM {parquet_table(source.path)}")
    cast = [
        f"CAST({quote(name)} AS {exact}) AS {quote(name)}"
        for name, kind in zip(given.columns, given.types, strict=True)
        if (exact := _exact(kind)) != str(kind)
    ]
    return f"* REPLACE ({', '.join(cast)})" if cast else "*"


def _exact(kind: DuckDBPyType) -> str:
    """The type as which Python is given a column: nanoseconds as text."""
    if kind.id in NANOSECONDS:
        return "VARCHAR"
    if kind.id not in ("list", "array", "struct", "map"):
        return str(kind)
    inner = {str(name): part for name, part in kind.children}
    exact = {name: _exact(part) for name, part in inner.items() if isinstance(part, DuckDBPyType)}
    if kind.id == "list":
        return f"{exact['child']}[]"
    if kind.id == "array":
        return f"{exact['child']}[{inner['size']}]"
    if kind.id == "map":
        return f"MAP({exact['key']}, {exact['value']})"
    return f"STRUCT({', '.join(f'{quote(name)} {part}' for name, part in exact.items())})"
