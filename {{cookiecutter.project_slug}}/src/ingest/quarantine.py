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
from ingest.steps import Refused

_SHOWN = 5  # refused records that a run's artifact shows
_SHOWN_RAW = 200  # characters of each
_MARK = re.compile(r"\b\d+\b")


class Quarantine:
    """The file of one run's refused records: NDJSON, one object for each.

    Use it as a context manager. The file appears under its final name when the run has
    judged every record, or has refused too many; after any other error nothing stays. It
    is not made at all while nothing is refused.
    """

    def __init__(self, folder: Path, run_id: str) -> None:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        self.path = folder / f"{stamp}-{run_id}.ndjson"
        self.count = 0
        self.reasons: Counter[str] = Counter()
        self.first: tuple[Refused, ...] = ()
        self._run_id = run_id
        self._partial = folder / f".{self.path.name}.partial"
        self._file: IO[bytes] | None = None

    def refuse(self, raw: RawRecord, field: str | None, reason: str) -> None:
        """Keep one record. `field` is the dotted path of the faulty field, if it is one."""
        text = raw.text()
        entry = {
            "run_id": self._run_id,
            "position": raw.position,
            "field": field,
            "reason": reason,
            "raw": text,
        }
        try:
            line = json.dumps(entry, ensure_ascii=False).encode()
        except UnicodeEncodeError:  # half of a surrogate pair has no UTF-8 form
            line = json.dumps(entry).encode()
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
        self._file.close()
        if error is None or isinstance(error, TooManyRejected):
            self._partial.replace(self.path)
        else:
            self._partial.unlink(missing_ok=True)

    def _opened(self) -> IO[bytes]:
        if self._file is None:
            self._partial.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._partial.open("wb")
        return self._file
