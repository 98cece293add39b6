"""What a sink is, and the wording and waiting that all of them share."""

from __future__ import annotations

import time
from typing import Protocol

from ingest.contract import Contract
from ingest.errors import TargetError
from ingest.loading import LastLoad, Load, Loaded, Ready
from ingest.say import Say, silent
from ingest.sinks.ledger import LOADS

PATIENCE = 600.0  # seconds to wait for another process that has the target
PAUSE = 0.5  # seconds between two tries
LINEAGE = ("_run_id", "_loaded_at")


class Sink(Protocol):
    """A target. `shown` names it for a person, without a password.

    Every method raises TargetError where the target cannot be used.
    """

    shown: str

    def last_load(self, table: str) -> LastLoad | None:
        """The newest load of the table; None where there is no such table."""
        ...

    def committed(self, table: str, run_id: str) -> bool:
        """Whether this run's rows are in the table."""
        ...

    def replayed(self, table: str, run_id: str) -> frozenset[int]:
        """The positions of the run's refused records that replays have loaded since."""
        ...

    def load(
        self,
        ready: Ready,
        contract: Contract,
        load: Load,
        say: Say = silent,
        patience: float = PATIENCE,
    ) -> Loaded:
        """Load the rows in one transaction, all or nothing, and note the load in it.

        A run that is loaded already changes nothing. Waits up to `patience` seconds for
        whoever has the target. Raises ContractError where the mode needs a KEY.
        """
        ...


class Waiting:
    """Tells of a wait for somebody else, and ends it when patience does."""

    def __init__(self, what: str, say: Say, patience: float) -> None:
        self._what, self._say, self._patience = what, say, patience
        self._started = time.monotonic()

    def left(self) -> float:
        """The seconds of patience that are left."""
        return max(0.0, self._patience - self._waited())

    def leave_out(self, seconds: float) -> None:
        """Count so many seconds, in which nobody was waited for, not as waited."""
        self._started += seconds

    def pause(self, holder: str) -> None:
        """Wait a moment for `holder`. Raises TargetError when it has taken too long."""
        if not self.left():
            raise self.given_up(holder)
        self.tell(holder)
        time.sleep(PAUSE)

    def tell(self, holder: str) -> None:
        """Say that `holder` is waited for."""
        self._say(
            f"Waiting for {self._what}: in use by {holder} "
            f"({self._waited():.0f} of {self._patience:.0f} s)"
        )

    def given_up(self, holder: str) -> TargetError:
        """The error with which a wait for `holder` ends."""
        return TargetError(
            f"{self._what} is still in use by {holder} after {self._waited():.0f} s. Close it "
            "there, then run again; nothing was loaded."
        )

    def _waited(self) -> float:
        return time.monotonic() - self._started


def new_columns(
    held: dict[str, str], incoming: dict[str, str], rows: int, table: str, drop: str
) -> dict[str, str]:
    """The incoming columns (name: type) that the table lacks; none of a new table.

    Names are compared as they stand. Raises TargetError for a table that no load made, where a
    column's type has changed, and where one comes no more; `drop` says how the table is dropped.
    Of no `rows` the columns are not looked at: a transform of single records knows none then.
    """
    if not held:
        return {}
    if "_run_id" not in held:
        raise TargetError(
            f"The table {table} was not made by this pipeline (it has no column _run_id), so it "
            "is not touched. Choose another TABLE in contract.py."
        )
    if not rows:
        return {}
    for name, kind in incoming.items():
        if held.get(name, kind) != kind:
            raise TargetError(
                f"The column {name!r} of the table {table} is {held[name]}, the rows have {kind}. "
                "Cast it in transform.py, or convert the table, or drop it and "
                f"load it anew: {drop}."
            )
    gone = [name for name in held if name not in incoming and name not in LINEAGE]
    if gone:
        raise TargetError(
            f"The table {table} has the column {gone[0]!r}, and the rows have it no more. Keep it "
            "as an optional field in contract.py and in what transform.py returns, None where it "
            "has no value; or, in a database, drop the column there; or drop the table and load "
            f"it anew: {drop}."
        )
    return {name: kind for name, kind in incoming.items() if name not in held}


def check_table_name(table: str) -> None:
    """Raises TargetError for the name of the table in which the loads are noted."""
    if table.lower() == LOADS:
        raise TargetError(
            f"{LOADS} is the table in which the loads are noted. Choose another TABLE in "
            "contract.py."
        )
