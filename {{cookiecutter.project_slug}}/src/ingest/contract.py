"""What the engine is told about the data: the record model, its key and its table."""

from dataclasses import dataclass

from pydantic import BaseModel


@dataclass(frozen=True)
class Contract:
    """The user's contract as one value.

    record: judges each record, and its fields are the columns that are staged.
    key: the columns that name a row; empty means that a run replaces the whole table.
    table: the name of the target table.
    """

    record: type[BaseModel]
    key: tuple[str, ...]
    table: str
