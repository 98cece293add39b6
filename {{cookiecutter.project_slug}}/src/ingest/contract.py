"""What the engine is told about the data: the record model, its key and its table."""

from base64 import b64encode
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, PlainSerializer


def _base64(value: bytes) -> str:
    return b64encode(value).decode()


# Bytes that land as text in base64, which a warehouse reads back (DuckDB's from_base64). What
# Pydantic's own ser_json_bytes="base64" writes is the kind for addresses, and it cannot.
Base64 = Annotated[bytes, PlainSerializer(_base64, str, when_used="json")]


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
