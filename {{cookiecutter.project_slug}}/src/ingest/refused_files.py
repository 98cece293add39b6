"""The quarantine's files, as a replay reads and rewrites them."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ingest.errors import SourceError, TargetError

KEPT = ".kept.ndjson"  # how the name ends of what was accepted and may not have been written

Entry = dict[str, Any]


def quarantine_files(folder: Path) -> list[Path]:
    """The quarantine files of a folder, the oldest first."""
    return sorted(
        path
        for path in folder.glob("*.ndjson")
        if not path.name.startswith(".") and not path.name.endswith(KEPT)
    )


def run_of(path: Path) -> str:
    """The run whose refused records a quarantine file holds. Raises SourceError."""
    return next((entry["run_id"] for _, _, entry in entries(path)), "")


def entries(path: Path) -> Iterator[tuple[int, bytes, Entry]]:
    """The entries of a quarantine file: where each begins, its line, and what it says.

    Raises SourceError, also where the entries are of several runs.
    """
    begin, run_id = 0, None
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                entry = _parsed(line)
                run_id = run_id or (entry and entry["run_id"])
                if entry is None or entry["run_id"] != run_id:
                    raise SourceError(
                        f"Line {number} of {path} is no entry of the quarantine of the run {run_id}. "
                        "Take the line out, or bring the file back; nothing of it was replayed."
                    )
                yield begin, line, entry
                begin += len(line)
    except OSError as error:
        raise SourceError(f"Cannot read the quarantine file {path}: {error}.") from error


def _parsed(line: bytes) -> Entry | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    if not isinstance(entry, dict) or not isinstance(entry.get("position"), int):
        return None
    return entry if all(isinstance(entry.get(name), str) for name in ("run_id", "raw")) else None


def line_of(entry: Entry) -> bytes:
    """An entry as a line of its file."""
    # Half of a surrogate pair has no UTF-8 form; as it is replaced it is JSON's own escape.
    return json.dumps(entry, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def replaced(path: Path, lines: Iterable[bytes]) -> None:
    """Write the file anew, all or nothing; without a line there is no file."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    written = 0
    try:
        with partial.open("wb") as out:
            for line in lines:
                written += out.write(line)
            out.flush()
            os.fsync(out.fileno())
        if written:
            partial.replace(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise TargetError(
            f"Cannot write the quarantine file {path}: {error}. What was replayed is loaded; "
            "mend that and replay again, which loads nothing twice."
        ) from error
    finally:
        partial.unlink(missing_ok=True)
