"""The gate: each record is judged by the contract, then staged or put into quarantine.

The seam for a faster gate is `judge`: whatever fills the same staged file with the same
verdicts can take its place.
"""

import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, Any

import duckdb
from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError, to_json

from ingest.contract import Contract
from ingest.errors import ContractError, TooManyRejected
from ingest.formats import RawRecord
from ingest.quarantine import Quarantine
from ingest.readers import read
from ingest.schema import columns_of
from ingest.sources import Say
from ingest.steps import Judged, Limits, SourceFile, Step

# What a column may be too small for. Most records hold none of it, and those that do are
# tried in DuckDB itself.
_MAY_NOT_FIT = re.compile(rb'\d{19}|\dE\+|"(?:NaN|-?Infinity)"')


def judge(
    source: SourceFile, contract: Contract, step: Step, work: Path, say: Say = lambda _: None
) -> Judged:
    """Judge every record of `source` and stage the accepted ones in the folder `work`.

    Memory holds one batch. `say` hears of progress after each. Raises TooManyRejected,
    with the quarantine kept, SourceError where the rest of the file cannot be read, and
    ContractError where the contract itself fails.
    """
    staged = work / "staged.ndjson"
    total = 0
    with (
        closing(_Fits(contract.record)) as fits,
        staged.open("wb") as out,
        Quarantine(step.folder, step.run_id) as quarantine,
    ):
        try:
            for batch in _batches(read(source.path, source.format, source.url), step.batch_size):
                total += len(batch)
                _judge_batch(batch, contract.record, fits, out, quarantine)
                _check_count(quarantine, step.limits)
                say(f"Judged {total:,} records, {quarantine.count:,} refused")
            _check_share(quarantine, total, step.limits)
        except TooManyRejected as error:
            error.judged = _judged(staged, total, quarantine)
            raise
    return _judged(staged, total, quarantine)


def _judged(staged: Path, total: int, quarantine: Quarantine) -> Judged:
    reasons = tuple(quarantine.reasons.most_common())
    kept = quarantine.path if quarantine.count else None
    return Judged(
        staged, total, quarantine.count, reasons, quarantine.first, kept, "record by record"
    )


def _batches(records: Iterable[RawRecord], size: int) -> Iterator[list[RawRecord]]:
    rest = iter(records)
    while batch := list(itertools.islice(rest, size)):
        yield batch


def _judge_batch(
    batch: list[RawRecord],
    record: type[BaseModel],
    fits: Callable[[list[bytes]], list[str | None]],
    out: IO[bytes],
    quarantine: Quarantine,
) -> None:
    accepted: list[tuple[RawRecord, bytes]] = []
    for raw in batch:
        if raw.fault:
            quarantine.refuse(raw, None, raw.fault)
            continue
        try:
            accepted.append((raw, _dumped(record.model_validate(raw.value))))
        except ValidationError as error:
            quarantine.refuse(raw, *_explained(error))
        except PydanticSerializationError as error:  # such as half of a surrogate pair
            quarantine.refuse(raw, None, f"a value cannot be written: {error}")
        except Exception as error:
            # A validator of the contract may only raise ValueError or AssertionError.
            raise ContractError(
                f"src/data_pipeline/contract.py failed on record {raw.position} with "
                f"{type(error).__name__}: {error}. A validator says no with ValueError."
            ) from error
    lines = []
    for (raw, dump), misfit in zip(accepted, fits([dump for _, dump in accepted]), strict=True):
        if misfit:
            quarantine.refuse(raw, None, misfit)
        else:
            lines.append(b'{"_position":%d,%b\n' % (raw.position, dump[1:]))
    out.write(b"".join(lines))


def _dumped(record: BaseModel) -> bytes:
    # model_dump_json would write NaN and Infinity as null; this keeps them.
    return to_json(record.model_dump(mode="json", by_alias=True), inf_nan_mode="strings")


def _explained(error: ValidationError) -> tuple[str, str]:
    """The first faulty field and its reason, with the other faults behind it."""
    faults = [
        (".".join(map(str, fault["loc"])), fault["msg"])
        for fault in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    field, reason = faults[0]
    others = "; ".join(f"{name}: {why}" for name, why in faults[1:4])
    more = f" (+{len(faults) - 4} more)" if len(faults) > 4 else ""
    return field, f"{reason}; also {others}{more}" if others else reason


class _Fits:
    """Says of dumped records why they do not fit the columns, or None where they do."""

    def __init__(self, record: type[BaseModel]) -> None:
        self._shape = json.dumps(columns_of(record))
        self._connection = duckdb.connect()

    def __call__(self, dumps: list[bytes]) -> list[str | None]:
        verdicts: list[str | None] = [None] * len(dumps)
        doubtful = [place for place, dump in enumerate(dumps) if _MAY_NOT_FIT.search(dump)]
        if not doubtful:
            return verdicts
        rows = self._connection.execute(
            "SELECT TRY(from_json_strict(line::JSON, ?)) IS NULL FROM (SELECT unnest(?) AS line)",
            [self._shape, [dumps[place].decode() for place in doubtful]],
        ).fetchall()
        for place, (misfit,) in zip(doubtful, rows, strict=True):
            if misfit:
                verdicts[place] = self._reason(dumps[place])
        return verdicts

    def close(self) -> None:
        self._connection.close()

    def _reason(self, dump: bytes) -> str:
        arguments: list[Any] = [dump.decode(), self._shape]
        try:
            self._connection.execute("SELECT from_json_strict(?::JSON, ?)", arguments).fetchall()
        except duckdb.Error as error:
            return f"a value does not fit its column: {str(error).splitlines()[0]}"
        return "a value does not fit its column"


def _check_count(quarantine: Quarantine, limits: Limits) -> None:
    if limits.count is not None and quarantine.count > limits.count:
        raise _too_many(quarantine, f"{quarantine.count:,} records, the limit is {limits.count:,}")


def _check_share(quarantine: Quarantine, total: int, limits: Limits) -> None:
    if total and quarantine.count / total > limits.share:
        share = quarantine.count / total
        refused = f"{quarantine.count:,} of {total:,} records ({share:.1%})"
        raise _too_many(quarantine, f"{refused}, the limit is {limits.share:.1%}")


def _too_many(quarantine: Quarantine, what: str) -> TooManyRejected:
    return TooManyRejected(
        f"Refused {what}; nothing was loaded. Most often: {quarantine.common_reasons()}. "
        f"Read the refused records in {quarantine.path}, then mend the source or "
        "src/data_pipeline/contract.py, or raise the limits in src/data_pipeline/config.py."
    )
