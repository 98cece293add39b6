"""A step that runs out of memory is done again with more, and no other is."""

import duckdb
import pytest

from ingest.duck import MEMORY, PASSING, in_passing

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
