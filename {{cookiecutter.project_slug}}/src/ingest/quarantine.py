"""Where refused records are kept, with the reason, until somebody looks at them."""

import json
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from ingest.errors import TargetError, TooManyRejected
from ingest.formats import RawRecord
from ingest.steps import Refused, SourceFile

_SHOWN = 5  # refused records that a run's artifact shows
_SHOWN_RAW = 201  # characters of each: one more than are shown, so that a cut is seen
_MARK = re.compile(r"\b\d+\b")
FAILED = ".failed.ndjson"  # how the name ends where the run refused too many


class Quarantine:
    """The file of one run's refused records: NDJSON, one object for each.

    Use it as a context manager. The file appears under its final name when the run has
    judged every record, or has refused too many; after any other error nothing stays. It
    is not made at all while nothing is refused. Where the run refused too many, its name
    says so (`FAILED`). A run that fails after that, in its transform or its load, leaves a
    file without that mark: whether a run was loaded, the target's own ledger says.

    An entry that is `replayable` holds in `raw` the whole record as JSON, so that it can be
    judged again. What is no record under any contract is not: a cut line, bytes that are no
    text, a row of another length than the header. Nor is a record of Parquet with a value
    that JSON has no type for, such as a date: judged as text, it may get another verdict.
    """

    def __init__(self, folder: Path, run_id: str, source: SourceFile) -> None:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        self.path = folder / f"{stamp}-{run_id}.ndjson"
        self.count = 0
        self.reasons: Counter[str] = Counter()
        self.first: tuple[Refused, ...] = ()
        self._run_id = run_id
        self._source = source
        self._partial = folder / f".{self.path.name}.partial"
        self._file: IO[bytes] | None = None

    def refuse(self, raw: RawRecord, field: str | None, reason: str) -> None:
        """Keep one record. `field` is the dotted path of the faulty field, if it is one."""
        text = raw.text()
        entry = {
            "run_id": self._run_id,
            "source": self._source.url,
            "format": self._source.format.value,
            "position": raw.position,
            "field": field,
            "reason": reason,
            "replayable": raw.fault is None and _is_whole(raw),
            "raw": text,
        }
        try:
            line = json.dumps(entry, ensure_ascii=False).encode()
        except UnicodeEncodeError:  # half of a surrogate pair has no UTF-8 form
            line = json.dumps(entry | {"replayable": False}).encode()
        try:
            self._opened().write(line + b"\n")
        except OSError as error:
            raise TargetError(f"Cannot write the quarantine file {self.path}: {error}.") from error
        self.count += 1
        if len(self.first) < _SHOWN:
            self.first += (Refused(raw.position, field, reason, text[:_SHOWN_RAW]),)
        # Places in a list or a line differ from record to record; what is counted does not.
        kind = f"{_MARK.sub('*', field)}: {reason}" if field else ":".join(reason.split(":")[:2])
        self.reasons[kind] += 1

    def fail(self) -> None:
        """Mark the file as that of a run that refused too many and loads nothing."""
        self.path = self.path.with_name(self.path.name.removesuffix(".ndjson") + FAILED)

    def common_reasons(self, most: int = 3) -> str:
        """The most frequent reasons in words, for a log line or an error."""
        return "; ".join(f"{count} × {why}" for why, count in self.reasons.most_common(most))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is None:
            return
        try:
            self._file.close()  # which writes the rest
            if error is None or isinstance(error, TooManyRejected):
                self._partial.replace(self.path)
        finally:
            self._partial.unlink(missing_ok=True)

    def _opened(self) -> IO[bytes]:
        if self._file is None:
            self._partial.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._partial.open("wb")
        return self._file


def _is_whole(raw: RawRecord) -> bool:
    """Whether the record's text is JSON from which the very same value is read again."""
    if raw.line is not None:
        return True
    try:
        text = json.dumps(raw.value, ensure_ascii=False, allow_nan=False)
        return json.loads(text) == raw.value
    except (TypeError, ValueError, RecursionError):
        return False
