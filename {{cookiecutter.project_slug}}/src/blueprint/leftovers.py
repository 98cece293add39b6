"""Files that runs leave behind: refused records, and the folders of runs that were killed."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

import psutil

from blueprint import manifest
from blueprint.pipelines.which import given_or_default
from blueprint.project import STATE
from runtime.project import WORK_PREFIX, resolve

# A quarantine folder is the user's to choose, and other files may lie there too: only what bears
# the name that a run gives. A leading dot is on what a run did not finish.
_NAME = re.compile(r"\.?\d{8}T\d{6}Z-[0-9a-f-]{36}(\.[a-z]+)*\.ndjson(\.partial|\.\d+)?")
_FOLDER = re.compile(re.escape(WORK_PREFIX.rsplit("-", 2)[0]) + r"-(\d+)-.*")


def quarantine(before: datetime) -> list[Path]:
    """The quarantine files that nobody has written to, nor replayed, since that moment.

    Raises Problem where the manifest, which names the folders, has faults.
    """
    folders = {
        Path(resolve(given))
        for one in manifest.load().deployments
        if (given := given_or_default(one, "quarantine"))
    }
    files = (path for folder in sorted(folders) for path in _files(folder))
    return [path for path in files if _NAME.fullmatch(path.name) and _changed(path) < before]


def work_folders(before: datetime) -> list[Path]:
    """The temporary folders of this project whose processes are gone, unchanged since then."""
    found = []
    for path in sorted(Path(tempfile.gettempdir()).iterdir()):
        named = _FOLDER.fullmatch(path.name)
        if named and not psutil.pid_exists(int(named[1])) and _newest(path) < before:
            found.append(path)
    scratch = STATE / "scratch"
    if scratch.is_dir():
        found += [path for path in sorted(scratch.iterdir()) if _newest(path) < before]
    return found


def remove(paths: Iterable[Path]) -> None:
    """Delete files and folders; what cannot be deleted, or is gone, stays as it is."""
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (path for path in sorted(folder.iterdir()) if path.is_file())


def _newest(folder: Path) -> datetime:
    return max(map(_changed, [folder, *folder.rglob("*")]))


def _changed(path: Path) -> datetime:
    try:
        seconds = path.lstat().st_mtime
    except FileNotFoundError:
        seconds = 0.0
    return datetime.fromtimestamp(seconds).astimezone()
