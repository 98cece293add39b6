"""Pydantic as the judge of each record, one after the other."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import duckdb
from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError, SchemaSerializer, to_json

from ingest.errors import ContractError
from ingest.formats import RawRecord

# What a column may be too small for. Most records hold none of it, and those that do are
# tried in DuckDB itself.
_MAY_NOT_FIT = r'\dE\+|"(?:NaN|-?Infinity)"'
_DECIMAL = re.compile(r"DECIMAL\((\d+), (\d+)\)")
# The end of a time with an offset, as Pydantic or a serializer of the contract's own writes it. One
# in UTC, which Pydantic makes of a number of seconds too, and old Parquet files of any time, is a
# time without an offset.
_OFFSET = r':\d\d(?:\.\d+)?\s*[+-](?!00(?::?00)?(?:"|$))\d\d(?::?\d\d){0,2}'


@dataclass(frozen=True)
class Refusal:
    """A record that the contract refuses: the faulty field, if it is one, and why."""

    raw: RawRecord
    field: str | None
    reason: str


@dataclass
class Verdicts:
    """What was accepted, as positions and JSON, and what was refused."""

    positions: list[int] = field(default_factory=list)
    dumps: list[bytes] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)


class PydanticWay:
    """Judges records by `model_validate`, in Python mode."""

    def __init__(self, record: type[BaseModel], columns: dict[str, str]) -> None:
        self._record = record
        self._dump = _dumper(record)
        self._shape = json.dumps(columns)
        # A BIGINT holds any 18 digits; a DECIMAL as many as its places leave of its width, if
        # none behind its point is rounded up.
        whole = [int(width) - int(places) for width, places in _DECIMAL.findall(self._shape)]
        most = max(1, min([19, *whole]))
        digits = r"\d" * most
        self._connection = duckdb.connect()
        kinds = {name: self._connection.sqltype(kind) for name, kind in columns.items()}
        self._times = {name: kind for name, kind in kinds.items() if _holds_time(kind)}
        offset = f'|{_OFFSET}"' if self._times else ""
        self._may_not_fit = re.compile(f"{digits}|{_MAY_NOT_FIT}{offset}".encode())

    def judge(self, records: Iterable[RawRecord]) -> Verdicts:
        """Judge records. Raises ContractError where a validator of the contract fails."""
        found = Verdicts()
        accepted: list[tuple[RawRecord, bytes]] = []
        for raw in records:
            if raw.fault:
                found.refused.append(Refusal(raw, None, raw.fault))
                continue
            try:
                values = self._dump(self._record.model_validate(raw.value))
                accepted.append((raw, to_json(values, inf_nan_mode="strings")))
            except ValidationError as error:
                found.refused.append(Refusal(raw, *_explained(error)))
            except Exception as error:
                if reason := unwritable(error):
                    found.refused.append(Refusal(raw, None, reason))
                    continue
                # A validator of the contract may only raise ValueError or AssertionError.
                raise ContractError(
                    f"contract.py failed on record {raw.position} with "
                    f"{type(error).__name__}: {error}. A validator says no with ValueError."
                ) from error
        misfits = self._misfits([dump for _, dump in accepted])
        for (raw, dump), misfit in zip(accepted, misfits, strict=True):
            if misfit:
                found.refused.append(Refusal(raw, None, misfit))
            else:
                found.positions.append(raw.position)
                found.dumps.append(dump)
        return found

    def _misfits(self, dumps: list[bytes]) -> list[str | None]:
        """Why records do not fit their columns, or None where they do."""
        verdicts: list[str | None] = [None] * len(dumps)
        doubtful = [place for place, dump in enumerate(dumps) if self._may_not_fit.search(dump)]
        if not doubtful:
            return verdicts
        rows = self._connection.execute(
            "SELECT TRY(from_json_strict(line::JSON, ?)) IS NULL FROM (SELECT unnest(?) AS line)",
            [self._shape, [dumps[place].decode() for place in doubtful]],
        ).fetchall()
        for place, (misfit,) in zip(doubtful, rows, strict=True):
            if misfit:
                verdicts[place] = self._reason(dumps[place])
            elif found := self._offset(dumps[place]):
                verdicts[place] = (
                    f"a value does not fit its column: TIME has no offset, and {found} has one"
                )
        return verdicts

    def _offset(self, dump: bytes) -> str | None:
        """A time with an offset that the record has for a TIME; DuckDB would drop the offset."""
        values = json.loads(dump) if self._times else {}
        times = (
            time for name, kind in self._times.items() for time in _times(values.get(name), kind)
        )
        return next((time for time in times if re.search(_OFFSET + "$", time)), None)

    def _reason(self, dump: bytes) -> str:
        arguments: list[Any] = [dump.decode(), self._shape]
        try:
            self._connection.execute("SELECT from_json_strict(?::JSON, ?)", arguments).fetchall()
        except duckdb.Error as error:
            return f"a value does not fit its column: {str(error).splitlines()[0]}"
        return "a value does not fit its column"


def unwritable(error: Exception) -> str | None:
    """Why a value that was read cannot be written, if that is what Pydantic's error says."""
    # It is a ValueError, or one within a PydanticSerializationError.
    if isinstance(error, ValueError) and "serialization depth exceeded" in str(error):
        return "it is nested too deep to be written"
    if isinstance(error, PydanticSerializationError):  # such as half of a surrogate pair
        return f"a value cannot be written: {error}"
    return None


def _holds_time(kind: Any) -> bool:
    inner = kind.children if kind.id in ("struct", "list", "map") else ()
    return kind.id == "time" or any(_holds_time(child) for _, child in inner)


def _times(value: Any, kind: Any) -> Iterator[str]:
    """What a dumped value holds for the TIMEs of a DuckDB type."""
    if value is None or not _holds_time(kind):
        return
    match kind.id:
        case "time":
            yield str(value)
        case "struct":
            for name, child in kind.children:
                yield from _times(value.get(name), child)
        case "list":
            for item in value:
                yield from _times(item, dict(kind.children)["child"])
        case "map":
            for item in value.values():
                yield from _times(item, dict(kind.children)["value"])


def _dumper(record: type[BaseModel]) -> Callable[[BaseModel], Any]:
    """What makes a record the values that JSON has, but for NaN and Infinity, which stay.

    As a model is set by itself, model_dump leaves those in a float and makes them None in Any.
    """
    if record.model_dump is not BaseModel.model_dump:
        return lambda one: one.model_dump(mode="json", by_alias=True)
    settings: Any = {n: v for n, v in record.model_config.items() if n.startswith("ser_json_")}
    settings["ser_json_inf_nan"] = "constants"
    serializer = SchemaSerializer(record.__pydantic_core_schema__, settings)
    return lambda one: serializer.to_python(one, mode="json", by_alias=True)


def _explained(error: ValidationError) -> tuple[str, str]:
    """The first faulty field and its reason, with the other faults behind it."""
    faults = [
        (".".join(map(str, fault["loc"])), fault["msg"])
        for fault in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    name, reason = faults[0]
    others = "; ".join(f"{name}: {why}" for name, why in faults[1:4])
    more = f" (+{len(faults) - 4} more)" if len(faults) > 4 else ""
    return name, f"{reason}; also {others}{more}" if others else reason
