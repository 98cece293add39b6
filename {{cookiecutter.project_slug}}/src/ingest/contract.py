"""What the engine is told about the data: the record model, its key and its table."""

from dataclasses import dataclass
from datetime import timedelta

from pydantic import BaseModel


@dataclass(frozen=True)
class Contract:
    """The user's contract as one value.

    record: judges each record, and its fields are the columns that are staged.
    key: the columns that name a row; empty means that a run replaces the whole table.
    table: the name of the target table.
    watermark: the field by which records are newer or older, for incremental runs and
        backfills; a date, a datetime or an integer.
    overlap: how far behind the last watermark an incremental run begins, for late records.
    """

    record: type[BaseModel]
    key: tuple[str, ...]
    table: str
    watermark: str | None = None
    overlap: timedelta = timedelta(0)
