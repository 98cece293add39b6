"""Bring a source to a file on this machine: fetched over HTTP, or a local file as it lies."""

import ssl
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx2

from ingest.errors import SourceError
from ingest.detecting import recognised
from ingest.formats import Reading
from ingest.steps import SourceFile

CONNECT_TIMEOUT = 10.0  # seconds
READ_TIMEOUT = 60.0  # seconds without a byte, not for the whole body
USER_AGENT = f"prefect-blueprint (httpx2/{httpx2.__version__})"
# Answers that a server gives for its own momentary trouble.
_TRANSIENT_STATUS = {408, 425, 429}

Say = Callable[[str], None]


def fetch(
    location: str, folder: Path, say: Say = lambda _: None, reading: Reading = Reading()
) -> SourceFile:
    """Return `location` (an http, https or file URL, or a path) as a file in a known format.

    A remote source is written into `folder`; a local one is read where it lies. `say`
    hears of progress, often. Raises SourceError, whose `transient` says if a retry helps.
    """
    shown = without_password(location)
    content_type = ""
    name = location
    if location.startswith(("http://", "https://")):
        path = folder / "source"
        content_type = _download(location, path, say)
        name = urlsplit(location).path
    else:
        path = _local_path(location)
    try:
        return recognised(path, content_type, name, shown, reading)
    except FileNotFoundError:
        raise SourceError(
            f"There is no file {path}. Correct source_url; a relative path starts at the "
            "project's folder."
        ) from None
    except OSError as error:
        raise SourceError(f"The source {path} cannot be read: {error}.") from error


def without_password(location: str) -> str:
    """The location with a password in its address, if there is one, replaced by ***."""
    if "://" not in location or "@" not in location:
        return location
    parts = urlsplit(location)
    if not parts.password:
        return location
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username}:***@{host}"))


def _local_path(location: str) -> Path:
    if not location.startswith("file:"):
        return Path(location)
    parts = urlsplit(location)
    if parts.netloc not in ("", "localhost"):
        raise SourceError(
            f"{location} names the host {parts.netloc!r}. A file URL can only name a file of "
            "this machine: write it with three slashes, as in file:///data/orders.ndjson."
        )
    return Path(urllib.request.url2pathname(parts.path))


def _download(url: str, path: Path, say: Say) -> str:
    """Write the body of `url` to `path`; returns its content type."""
    shown = without_password(url)
    timeout = httpx2.Timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT)
    try:
        with (
            httpx2.Client(
                timeout=timeout, follow_redirects=True, headers={"User-Agent": USER_AGENT}
            ) as client,
            client.stream("GET", url) as response,
        ):
            _check_status(response, shown)
            with path.open("wb") as file:
                for chunk in response.iter_bytes():
                    file.write(chunk)
                    say(f"Fetched {response.num_bytes_downloaded / 1e6:,.1f} MB from {shown}")
            _check_length(response, shown)
            return response.headers.get("content-type", "")
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        # The message says it all; three libraries' tracebacks would bury it in the log.
        raise _as_source_error(error, shown) from None


def _check_status(response: httpx2.Response, shown: str) -> None:
    status = response.status_code
    if response.is_success:
        return
    answer = f"{shown} answered {status} {response.reason_phrase}".rstrip()
    if status >= 500 or status in _TRANSIENT_STATUS:
        raise SourceError(f"{answer}, which usually passes: try again later.", transient=True)
    advice = {
        401: "It asks for credentials.",
        403: "It asks for other credentials.",
        404: "There is nothing at that address.",
        410: "There is nothing at that address any more.",
    }.get(status, "")
    raise SourceError(f"{answer}. {advice} Check source_url in a browser or with curl.")


def _check_length(response: httpx2.Response, shown: str) -> None:
    promised = response.headers.get("content-length", "")
    if promised.isdigit() and response.num_bytes_downloaded < int(promised):
        raise SourceError(
            f"The body from {shown} was cut short: {response.num_bytes_downloaded} of "
            f"{promised} bytes came.",
            transient=True,
        )


def _as_source_error(error: Exception, shown: str) -> SourceError:
    """Say what the HTTP library's error means, and whether a retry may help."""
    if isinstance(error, httpx2.TimeoutException):
        waited = "connect" if isinstance(error, httpx2.ConnectTimeout) else "answer"
        return SourceError(f"{shown} took too long to {waited}.", transient=True)
    if isinstance(error, httpx2.RemoteProtocolError):
        return SourceError(f"The body from {shown} was cut short: {error}.", transient=True)
    if isinstance(error, httpx2.NetworkError):
        if _is_certificate_fault(error):
            return SourceError(f"The certificate of {shown} is not trusted: {error}.")
        return SourceError(
            f"The connection to {shown} failed: {error}. Is that server up, and source_url right?",
            transient=True,
        )
    return SourceError(f"{shown} cannot be fetched: {error}. Check source_url.")


def _is_certificate_fault(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
