"""Bring a source to a file on this machine: fetched, or a local file as it lies."""

from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from ingest.detecting import recognised
from ingest.errors import SourceError
from ingest.formats import Compression, Format, Reading
from ingest.opening import unpacked
from ingest.say import Say, silent
from ingest.sources.files import local_path
from ingest.sources.http import download
from ingest.sources.pages import download_pages
from ingest.sources.request import Request, fill, without_secrets
from ingest.sources.styles import ByCursor, ByLastRecord, ByLink, ByNextUrl, ByNumber, ByOffset
from ingest.steps import SourceFile

__all__ = [
    "ByCursor",
    "ByLastRecord",
    "ByLink",
    "ByNextUrl",
    "ByNumber",
    "ByOffset",
    "Request",
    "Say",
    "fetch",
    "fill",
    "without_secrets",
]

_HTTP = ("http://", "https://")
_OBJECTS = ("s3://", "gs://", "az://")


def fetch(
    location: str,
    folder: Path,
    say: Say = silent,
    options: Request | None = None,
    reading: Reading | None = None,
    *,
    batch_size: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> SourceFile:
    """Return `location` (a URL or a path) as a file in a known format.

    A remote source is written into `folder`, and Parquet that is packed is unpacked into it;
    any other local one is read where it lies. A try that was interrupted goes on where it
    broke off if the next one has the same folder. `say` hears of progress, often. batch_size:
    the most records to ask an API for at once. since, until: what {since} and {until} in the
    location and the parameters mean.

    Raises SourceError, whose `transient` says if a retry helps.
    """
    # The address with its placeholders names the source: what fills them differs each time.
    shown = without_secrets(location)
    request = (options or Request()).filled(since, until)
    address = fill(location, since, until)
    # A file stands in for an API, in a test or in phase 3: it has no pages.
    if request.pages is None or not location.startswith(_HTTP):
        path, content_type, name = _bring(address, folder, say, request, shown)
        source = _described(path, content_type, name, shown, reading or Reading())
        if source.format is Format.PARQUET and source.compression is not Compression.NONE:
            # It is read here and there, its end first; text is unpacked as it is read.
            return unpacked(source, folder / "unpacked", say)
        return source
    path = download_pages(address, folder, say, request, request.pages, batch_size, shown)
    return SourceFile(path, Format.NDJSON, shown, path.stat().st_size)


def _bring(
    address: str, folder: Path, say: Say, request: Request, shown: str
) -> tuple[Path, str, str]:
    """The file of a source, its content type if one was told, and the name it has there."""
    if address.startswith(_HTTP):
        path, content_type = download(address, folder, say, request, shown)
    elif address.startswith(_OBJECTS):
        from ingest.sources import objects  # what it needs is an extra

        path, content_type = objects.download(address, folder, say, request)
    else:
        return local_path(address), "", address
    return path, content_type, urlsplit(address).path


def _described(
    path: Path, content_type: str, name: str, shown: str, reading: Reading
) -> SourceFile:
    try:
        return recognised(path, content_type, name, shown, reading)
    except FileNotFoundError:
        raise SourceError(
            f"There is no file {path}. Correct source_url; a relative path starts at the "
            "project's folder."
        ) from None
    except OSError as error:
        raise SourceError(f"The source {path} cannot be read: {error}.") from error
