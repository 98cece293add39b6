"""A source that lies on this machine already."""

import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from ingest.errors import SourceError


def local_path(location: str) -> Path:
    """The path that a file URL or a plain path names. Raises SourceError for another host."""
    if not location.startswith("file:"):
        return Path(location)
    parts = urlsplit(location)
    if parts.netloc not in ("", "localhost"):
        raise SourceError(
            f"{location} names the host {parts.netloc!r}. A file URL can only name a file of "
            "this machine: write it with three slashes, as in file:///data/orders.ndjson."
        )
    return Path(urllib.request.url2pathname(parts.path))
