"""Which source. Yours to edit where a URL or a path does not say it all."""

from datetime import datetime
from pathlib import Path

from data_pipeline.config import ExtractConfig
from ingest import sources
from ingest.formats import Reading
from ingest.say import Say
from ingest.sources import Request
from ingest.steps import SourceFile
from runtime.project import resolve


def request() -> Request:
    """What an API is asked with: credentials, parameters, pages; see docs/SOURCES.md.

    For example, with `secret` from runtime.secrets:
    Request(bearer=secret("env:API_TOKEN"), pages=ByCursor(cursor="meta.next", param="cursor"))
    """
    return Request()


def reading() -> Reading:
    """How the source is written, where that is not to be recognised; see docs/SOURCES.md.

    For example: Reading(records_key="data.orders"), or Reading(encoding="cp1252").
    """
    return Reading()


def extract(
    config: ExtractConfig,
    folder: Path,
    say: Say,
    since: datetime | None = None,
    until: datetime | None = None,
) -> SourceFile:
    """Bring the source to a local file, in `folder` where it must be fetched.

    since, until: what {since} and {until} in source_url mean. To read another system, write
    what it holds into `folder` as NDJSON and hand that path on. Raises ingest's SourceError;
    one that is marked as transient is tried again.
    """
    return sources.fetch(
        resolve(config.source_url),
        folder,
        say,
        request(),
        reading(),
        batch_size=config.batch_size,
        since=since,
        until=until,
    )
