"""The parameters of a run. Yours to edit: bounds, defaults and limits stand here, once.

The flow and ExtractConfig share these types, so that Prefect refuses a value out of bounds
before a run starts, and the UI's form shows the bounds. Which values a scheduled run gets
is written in prefect.yaml.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ingest.loading import Mode
from ingest.planning import Guard, WhenShrunk
from ingest.steps import Limits

# A run fails, and loads nothing, when more than this share of its records is refused, or
# more than this number (None: any number).
MAX_REJECTED_SHARE = 0.05
MAX_REJECTED_COUNT: int | None = None
LIMITS = Limits(share=MAX_REJECTED_SHARE, count=MAX_REJECTED_COUNT)

# A run shows the start of its first refused records in Prefect's UI. False leaves the records
# out, where they hold personal data; which field was wrong, and why, is always shown.
SHOW_REFUSED_RECORDS = True

# In a run with mode=full, a source that is empty, or smaller than at the last such run by more
# than this share, fails the run before anything is loaded; WARN loads it and says so, ACCEPT
# loads it. Other modes replace nothing, and may find nothing new.
SHRUNK_SHARE = 0.5
WHEN_SHRUNK = WhenShrunk.FAIL
GUARD = Guard(share=SHRUNK_SHARE, then=WHEN_SHRUNK)

# Seconds after which a run is ended as TimedOut, and after which its extraction is. Python can
# end a step only between two of its own instructions: one query of DuckDB's is awaited.
RUN_TIMEOUT = 6 * 3600
EXTRACT_TIMEOUT = 4 * 3600

# How many tasks run at once, where flow.py gives tasks to the runner with .submit() or .map().
MAX_WORKERS = 4

DEFAULT_BATCH_SIZE = 50_000
DEFAULT_TARGET = "data/warehouse.duckdb"
DEFAULT_QUARANTINE = "quarantine"

# A path: not a URL, no scheme before a colon, save for a drive such as C:\.
_PATH = r"[A-Za-z]:[\\/]|(?![A-Za-z][A-Za-z0-9+.\-]*:)(?!.*://)\S"
# An object: bucket or container, then a key; user, password and query have no place there.
_OBJECT = r"(s3|gs|az)://[^/\s?#@:]+(/(?!\.{1,2}(/|$))[^/?#]+)+$"
_SOURCE = rf"^(https?://[^/\s]|file:/|{_OBJECT}|{_PATH})"
_PATH_ONLY = rf"^({_PATH})"
_TARGET = rf"^((duckdb|parquet):///.|postgres(ql)?://|(s3|gs|az)://[^/\s?#@:]+/|{_PATH})"


def _check_source(value: str) -> str:
    if not re.match(_SOURCE, value):
        raise ValueError(
            f"{value!r} is no source: write an http, https or file URL, an object's (s3://bucket/key, "
            "gs://bucket/key, az://container/key), or a path such as data/orders.ndjson"
        )
    return value


def _check_path(value: str) -> str:
    if not re.match(_PATH_ONLY, value):
        raise ValueError(f"{value!r} is no path: write one such as {DEFAULT_TARGET}")
    return value


def _check_target(value: str) -> str:
    if not re.match(_TARGET, value):
        raise ValueError(f"{value!r} is no target: write a path such as {DEFAULT_TARGET}, or a URL")
    return value


SourceUrl = Annotated[
    str,
    AfterValidator(_check_source),
    Field(
        description="Where the records are: an http, https, s3, gs, az or file URL, or a path.",
        json_schema_extra={"pattern": _SOURCE},
    ),
]
BatchSize = Annotated[
    int, Field(ge=1, le=1_000_000, description="How many records are judged in one step.")
]
Target = Annotated[
    str,
    AfterValidator(_check_target),
    Field(
        description="What is loaded: a DuckDB file, or a URL of docs/TARGETS.md.",
        json_schema_extra={"pattern": _TARGET},
    ),
]
QuarantinePath = Annotated[
    str,
    AfterValidator(_check_path),
    Field(
        description="The folder for refused records; a relative path starts at the project.",
        json_schema_extra={"pattern": _PATH_ONLY},
    ),
]


RunMode = Annotated[
    Mode,
    Field(description="full, incremental (what is newer than the last load), or backfill."),
]


class ExtractConfig(BaseModel):
    """What the extraction is asked to do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source_url: SourceUrl
    batch_size: BatchSize = DEFAULT_BATCH_SIZE
