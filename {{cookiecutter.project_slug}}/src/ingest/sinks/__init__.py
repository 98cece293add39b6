"""The targets: what takes the rows of a load. `open_sink` opens one by its URL."""

from __future__ import annotations

import re
from pathlib import Path

from ingest.errors import TargetError
from ingest.sinks.base import Say, Sink, silent

_FORMS = (
    "duckdb:///path.duckdb (or just path.duckdb), postgresql://user@host/database, "
    "parquet:///folder (or just folder/), s3://bucket/folder, gs://bucket/folder or "
    "az://container/folder"
)


def open_sink(target: str, root: Path = Path(), say: Say = silent) -> Sink:
    """The sink for a target's URL: docs/TARGETS.md lists the forms.

    A relative path is one below `root`. `say` hears of waiting while loads are looked up.
    Nothing is opened yet. Raises TargetError for a URL of another form.
    """
    scheme, separator, rest = target.partition("://")
    if not separator:
        scheme = _scheme_of_path(target)
        rest = f"/{target}"
    # As in other tools' URLs, the path begins behind the third slash.
    if scheme in ("duckdb", "parquet") and len(rest) > 1 and rest[0] == "/":
        if scheme == "duckdb":
            from ingest.sinks.duckdb_file import DuckDBSink

            return DuckDBSink(root / rest[1:], say)
        from ingest.sinks.parquet import ParquetSink

        return ParquetSink(root / rest[1:], say)
    if scheme in ("postgresql", "postgres"):
        from ingest.sinks.postgres import PostgresSink

        return PostgresSink(target, say)
    if scheme in ("s3", "gs", "az"):
        from ingest.sinks.objects import ObjectSink

        return ObjectSink(target, say)
    # What stands behind the scheme may hold a password.
    shown = f"{scheme}://…" if separator else target
    raise TargetError(f"{shown!r} is no target. A target is {_FORMS}.")


def _scheme_of_path(path: str) -> str:
    if re.search(r"\.(duckdb|db)$", path):
        return "duckdb"
    return "parquet" if path.endswith(("/", "\\")) else ""
