"""DuckDB holds no more than it may; a step that it is too little for is done again with more."""

from pathlib import Path

import duckdb
import pytest

from ingest.duck import MEMORY, PASSING, connect, in_passing

_AT_COMMIT = (
    "TransactionContext Error: Failed to commit: failed to pin block of size 256.0 KiB "
    "(20.7 MiB/20.9 MiB used)"
)


@pytest.mark.parametrize(
    "error",
    [duckdb.OutOfMemoryException("no room"), duckdb.TransactionException(_AT_COMMIT)],
)
def test_it_is_given_more_memory_each_time(error: duckdb.Error) -> None:
    given: list[str] = []

    def step(memory: str) -> str:
        given.append(memory)
        if len(given) < 3:
            raise error
        return "done"

    assert in_passing(step) == "done"
    assert given == [PASSING, MEMORY, "4GB"]


def test_another_fault_is_not_tried_again() -> None:
    given: list[str] = []

    def step(memory: str) -> None:
        given.append(memory)
        raise duckdb.TransactionException("Conflict on update!")

    with pytest.raises(duckdb.TransactionException, match="Conflict"):
        in_passing(step)
    assert given == [PASSING]


def test_a_connection_may_hold_what_was_asked_for_and_else_what_is_usual(tmp_path: Path) -> None:
    limit = (
        "SELECT parse_formatted_bytes(current_setting('memory_limit')), parse_formatted_bytes(?)"
    )
    path = tmp_path / "x.duckdb"
    for given, memory in (((PASSING,), PASSING), ((), MEMORY)):
        with connect(path, tmp_path, *given) as connection:
            held, asked = connection.execute(limit, [memory]).fetchall()[0]
        # The setting is shown in MiB with one digit.
        assert held == pytest.approx(asked, rel=0.001)
