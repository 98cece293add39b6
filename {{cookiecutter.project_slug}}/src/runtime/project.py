"""Where the project is, and what a location in its parameters means."""

import hashlib
import os
from pathlib import Path

# The project is installed as editable, so this file lies in its folder.
ROOT: Path = Path(__file__).resolve().parents[2]
WORK_PREFIX: str = f"pipeline-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:12]}-{os.getpid()}-"
"""How a temporary folder of this project and process is called: `blueprint prune` finds those of
processes that were killed by it, and no other project's."""
_URLS = ("http://", "https://", "file:", "s3://", "gs://", "az://")


def resolve(location: str) -> str:
    """Make a relative path absolute: it starts at the project's folder, never at the cwd.

    A process worker runs in a temporary folder, which vanishes with what is written there.
    URLs and absolute paths are returned as they are.
    """
    if location.startswith(_URLS):
        return location
    return str(ROOT / Path(location).expanduser())


def resolve_target(target: str) -> str:
    """A target with its path made absolute, as `resolve` does it for a source.

    Behind the third slash of duckdb:/// and parquet:/// begins a path, relative or absolute.
    """
    scheme, separator, rest = target.partition(":///")
    if separator and scheme in ("duckdb", "parquet"):
        return f"{scheme}:///{ROOT / Path(rest).expanduser()}"
    if "://" in target:
        return target
    end = "/" if target.endswith(("/", "\\")) else ""  # such a path is a folder of Parquet
    return str(ROOT / Path(target).expanduser()) + end
