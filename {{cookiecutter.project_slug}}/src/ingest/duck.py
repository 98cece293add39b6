"""How DuckDB is opened and how text is quoted for it.

Modules that name DuckDB's types in their signatures begin with `from __future__ import
annotations`: a type that is still held when Python ends, as Prefect holds functions, makes
DuckDB print a dozen lines about leaks after every run.
"""

from __future__ import annotations

import glob
import re
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import duckdb

from ingest.errors import TargetError
from ingest.say import Say

Result = TypeVar("Result")
_FULL = re.compile(r"block of size .* used\)")

# What DuckDB may hold of a run at a time; what does not fit goes to disk, into the work folder.
# What only passes through needs little of it, however many rows there are: more would be filled
# with what nobody asks for again. Records of some MB each need more.
PASSING = "130MB"
MEMORY = "1GB"
_WIDE = "4GB"
LOOK_EVERY = 0.5  # seconds between two looks at how far a statement is
# DuckDB 1.5 can then still open what 2.0 makes.
STORAGE_VERSION = "v1.5.0"
# A Parquet file between two steps of a run, which is read once and removed. Packing it, and
# looking for what repeats in columns that hold few repeats, costs a tenth of the whole gate.
PASSING_PARQUET = (
    "(FORMAT parquet, COMPRESSION uncompressed, DICTIONARY_SIZE_LIMIT 1000, "
    "WRITE_BLOOM_FILTER false)"
)


def connect(path: Path, work: Path, memory: str = MEMORY) -> duckdb.DuckDBPyConnection:
    """Open the database file `path` (made if missing), spilling into the folder `work`.

    Raises TargetError for a path at which DuckDB can keep no database.
    """
    check_path(path)
    connection = duckdb.connect(
        str(path),
        config={"storage_compatibility_version": STORAGE_VERSION, "memory_limit": memory},
    )
    connection.execute(f"SET temp_directory = {literal(str(work / 'spill'))}")
    connection.execute("SET TimeZone = 'UTC'")
    return connection


@contextmanager
def followed(
    connection: duckdb.DuckDBPyConnection, say: Say, text: str
) -> Generator[None, None, None]:
    """Say `text`, and while the statements within run, how far DuckDB is with the longest."""
    say(text)
    connection.execute("SET enable_progress_bar = true")
    connection.execute("SET enable_progress_bar_print = false")
    over, furthest = threading.Event(), 0.0

    def look() -> None:
        nonlocal furthest
        while not over.wait(LOOK_EVERY):
            furthest = max(furthest, connection.query_progress() / 100)  # -1: nothing runs
            say(text, furthest)

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield
    finally:
        over.set()
        looking.join()


def in_passing(step: Callable[[str], Result]) -> Result:
    """What `step` gives when it is told how much memory it has; with more, where it needs more.

    A step that ran out of memory is done again from its beginning.
    """
    for memory in (PASSING, MEMORY):
        try:
            return step(memory)
        except (duckdb.OutOfMemoryException, duckdb.TransactionException) as error:
            if not _is_short_of_memory(error):
                raise
    return step(_WIDE)


def _is_short_of_memory(error: duckdb.Error) -> bool:
    # What happens within COMMIT is a TransactionException: "… failed to pin block of size 256.0
    # KiB (20.7 MiB/20.9 MiB used)".
    return isinstance(error, duckdb.OutOfMemoryException) or _FULL.search(str(error)) is not None


def at_least(connection: duckdb.DuckDBPyConnection, memory: str) -> None:
    """Let a connection hold so much, if it may not hold more already."""
    held, asked = connection.execute(
        "SELECT parse_formatted_bytes(current_setting('memory_limit')), parse_formatted_bytes(?)",
        [memory],
    ).fetchall()[0]
    if held < asked:
        connection.execute(f"SET memory_limit = {literal(memory)}")


def check_path(path: Path) -> None:
    """Raises TargetError for a path at which DuckDB can keep no database."""
    # DuckDB 1.5 writes the log of `a?b/c.duckdb` to `a.wal?b/c.duckdb`.
    if "?" in str(path):
        raise TargetError(
            f"DuckDB can keep no database at {path}: a '?' in a path means something else to it. "
            "Rename that folder, or move the project."
        )


def quote(name: str) -> str:
    """An SQL identifier that means `name`, whatever characters it holds."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """An SQL string literal that means `text`."""
    return "'" + text.replace("'", "''") + "'"


def file_literal(path: Path) -> str:
    """The path of one file for DuckDB's readers: a `*` in its name is no pattern."""
    return literal(glob.escape(str(path)))


def parquet_table(path: Path, *options: str) -> str:
    """What stands behind FROM for one Parquet file: this very one, and only what is in it.

    A folder `id=5` above it gives no column `id`.
    """
    more = "".join(f", {option}" for option in options)
    return f"read_parquet({file_literal(path)}, hive_partitioning = false{more})"


def columns(names: tuple[str, ...], prefix: str = "") -> str:
    """The names as a list of columns, each behind `prefix` (such as "t.")."""
    return ", ".join(prefix + quote(name) for name in names)


def number(connection: duckdb.DuckDBPyConnection, statement: str) -> int:
    """The one number that a statement gives: a count, or the rows that it affected."""
    # Fetching all ends the result; DuckDB 2 lets nothing else begin before that.
    return connection.execute(statement).fetchall()[0][0]


def count(connection: duckdb.DuckDBPyConnection, source: str) -> int:
    """How many rows `source` has: what may stand behind FROM."""
    return number(connection, f"SELECT count(*) FROM {source}")
