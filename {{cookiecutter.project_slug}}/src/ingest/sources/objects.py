"""Fetch an object of S3, Google Cloud Storage or Azure into a file, going on where a try ended.

Credentials and endpoint come from the environment, by the names that the clouds' own tools use.
"""

import json
import os
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from ingest.errors import SourceError
from ingest.say import Say, silent
from ingest.sources.request import Request

_CHUNK = 4 * 1024 * 1024  # bytes held in memory
# A key may hold spaces and most signs; obstore takes no empty, "." or ".." part.
_URL = re.compile(r"(s3|gs|az)://([^/\s?#@:]+)((?:/(?!\.{1,2}(?:/|$))[^/?#]+)+)")

# What obstore's errors are known by, the first that fits; only their own text tells most apart.
_PASSING = r"status code: (5\d\d|408|425|429)"
_SLOW = "TimedOut|timed out|Timeout"
_UNREACHED = "kind: Connect|error sending request"
_SHORT = "kind: (Body|Decode|Interrupted)|IncompleteMessage|error decoding"
# Where none are set, credentials are asked of a service that only a cloud's own machines have.
_KEEPER = "(169[.]254[.]|/latest/api/token|/computeMetadata/|/metadata/identity|token request)"
_KEEPER_BUSY = rf"(?s){_KEEPER}.*{_PASSING}"
_TRANSIENT = (_PASSING, _SLOW, _UNREACHED, _SHORT, _KEEPER_BUSY)
_FAULTS = {
    "NoSuchBucket|ContainerNotFound": (
        "{url} names a bucket or container that is not there. Correct source_url. {where}"
    ),
    "^FileNotFoundError": "There is no object at {url}. Correct its bucket and key in source_url.",
    "^(PermissionDenied|Unauthenticated)Error": (
        "{url} may not be read with these credentials ({answer}); a store may say so of what is "
        "not there, too. Check {credentials}, and what they allow."
    ),
    _KEEPER_BUSY: "What gives out the credentials for {url} answered {answer}: try again later.",
    f"{_KEEPER}|Access Key: |Account must be|[Cc]redentials file|ervice account|WebIdentity": (
        "There are no usable credentials for {url}. Set {credentials}."
    ),
    "without LOCATION|PermanentRedirect|AuthorizationHeaderMalformed": (
        "{url} lies in another region ({answer}). Set AWS_REGION to it."
    ),
    _PASSING: "{url} answered {answer}, which usually passes: try again later.",
    "status code: ": "{url} answered {answer}. Check source_url. {where}",
    "[Cc]ertificate|UnknownIssuer": "The certificate of {host} is not trusted. {where}",
    _SLOW: "{url} took longer than the timeouts of its Request allow. {where}",
    _UNREACHED: "The connection to {host} failed. {where}",
    _SHORT: "The body of {url} was cut short.",
    "": "{url} cannot be fetched: {text}. Check source_url. {where}",
}


@dataclass(frozen=True)
class _Cloud:
    """What differs: obstore's class, and the variables; of the endpoints the first set counts."""

    store: str
    endpoints: tuple[str, ...]
    credentials: str


_CLOUDS = {
    "s3": _Cloud(
        "S3Store",
        ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (for a public bucket AWS_SKIP_SIGNATURE=true)",
    ),
    "gs": _Cloud(
        "GCSStore",
        ("GOOGLE_BASE_URL",),
        "GOOGLE_APPLICATION_CREDENTIALS, the path of a key file (for a public bucket "
        "GOOGLE_SKIP_SIGNATURE=true)",
    ),
    "az": _Cloud(
        "AzureStore",
        ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
        "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or AZURE_STORAGE_CONNECTION_STRING "
        "(for a public container the first and AZURE_SKIP_SIGNATURE=true)",
    ),
}


def download(
    url: str, folder: Path, say: Say = silent, request: Request | None = None
) -> tuple[Path, str]:
    """Write the object at `url` (s3://, gs:// or az://, then bucket and key) to `folder`/source.

    Where an earlier try left a part of the same version there, only the rest is fetched. Returns
    the path and the content type. `say` hears of progress, often. Of `request`, its timeouts and
    its limit on size count. Raises SourceError.
    """
    request = request or Request()
    match = _URL.fullmatch(url)
    if not match:
        scheme = url.partition("://")[0]  # what follows may hold a password
        raise SourceError(
            f"This {scheme} address names no object: write {scheme}://bucket/key, without user, "
            "'?' or '#'; credentials belong in the environment."
        )
    cloud, bucket, key = _CLOUDS[match[1]], match[2], match[3][1:]
    path, note = folder / "source", folder / "source.object.json"
    left = _left(note, url, path)
    with _explained(url, cloud):
        result, done = _ask(_open(cloud, bucket, request), key, left)
    size, e_tag = result.meta["size"], result.meta["e_tag"]
    if size > request.max_bytes:
        raise SourceError(
            f"{url} has {size / 1e6:,.1f} MB, more than the {request.max_bytes / 1e6:,.1f} MB that "
            "are taken. Split it, or raise max_bytes of its Request in extract.py."
        )
    try:
        with path.open("ab" if done else "wb") as file:
            note.write_text(json.dumps([url, e_tag or "", size]), "utf-8")
            for chunk in _chunks(result, url, cloud):
                file.write(chunk)
                done += len(chunk)
                say(f"Fetched {done / 1e6:,.1f} of {size / 1e6:,.1f} MB from {url}")
    except OSError as error:
        raise SourceError(f"{path} cannot be written: {error}. Is the disk full?") from None
    if done != size:
        raise SourceError(
            f"The body of {url} was cut short: {done} of {size} bytes came.", transient=True
        )
    return path, str(result.attributes.get("Content-Type", ""))


def _left(note: Path, url: str, path: Path) -> tuple[int, str]:
    """How many bytes an earlier try left, and of which version: none where that is not certain."""
    try:
        begun_url, e_tag, size = json.loads(note.read_text("utf-8"))
        length = path.stat().st_size
    except (OSError, ValueError, TypeError):
        return 0, ""
    # A weak tag vouches for no byte. A whole file has no rest to ask for.
    sure = begun_url == url and e_tag.startswith('"') and length < size
    return (length, e_tag) if sure else (0, "")


def _ask(store: Any, key: str, left: tuple[int, str]) -> tuple[Any, int]:
    """Ask for what is missing. Returns the answer, and how many of the bytes there are kept."""
    import obstore
    from obstore.exceptions import PreconditionError

    length, e_tag = left
    if length:
        try:
            rest = {"range": {"offset": length}, "if_match": e_tag}
            result = obstore.get(store, key, options=rest)  # pyrefly: ignore[bad-argument-type]
            # Some servers pass over If-Match.
            if result.meta["e_tag"] == e_tag and result.range[0] == length:
                return result, length
        except PreconditionError:
            pass  # it is another version by now
    return obstore.get(store, key), 0


def _chunks(result: Any, url: str, cloud: _Cloud) -> Iterator[bytes]:
    # A function of its own, so that an error in writing them is not taken for the store's.
    with _explained(url, cloud):
        yield from result.stream(min_chunk_size=_CHUNK)


def _open(cloud: _Cloud, bucket: str, request: Request) -> Any:
    """The bucket's store. It retries nothing: the retries are Prefect's, where they are seen."""
    try:
        from obstore import store
    except ImportError:
        raise SourceError(
            "Object stores need the extra `cloud`, which is not installed. In pyproject.toml, under "
            '[tool.blueprint], write extras = ["cloud"], then run: python3 bootstrap.py'
        ) from None
    settings = _azure_connection() if cloud.store == "AzureStore" else {}
    name, endpoint = _endpoint(cloud)
    if "endpoint" in settings:
        name, endpoint = "AZURE_STORAGE_CONNECTION_STRING", settings["endpoint"]
    if endpoint and not re.fullmatch(r"https?://[^/\s?#]+(/[^\s?#]*)?", endpoint):
        # obstore would panic: a message and a backtrace in Rust.
        raise SourceError(f"The endpoint in {name} is no address such as http://127.0.0.1:9000.")
    return getattr(store, cloud.store)(
        bucket,
        config=settings,
        retry_config={"max_retries": 0, "retry_timeout": timedelta(0)},
        client_options={
            "allow_http": endpoint.startswith("http://"),
            "connect_timeout": timedelta(seconds=request.connect),
            "read_timeout": timedelta(seconds=request.read),
            "timeout": timedelta(seconds=request.total),
            "user_agent": "prefect-blueprint (obstore)",
        },
    )


def _endpoint(cloud: _Cloud) -> tuple[str, str]:
    """The variable that names another endpoint than the cloud's own, and its value."""
    found = ((name, os.environ.get(name, "")) for name in cloud.endpoints)
    return next((pair for pair in found if pair[1]), ("", ""))


def _azure_connection() -> dict[str, str]:
    """What Azure's connection string says, which obstore itself does not read."""
    text = os.environ.get("AZURE_STORAGE_CONNECTION_STRING", "")
    parts = dict(part.split("=", 1) for part in text.split(";") if "=" in part)
    if "EndpointSuffix" in parts and "AccountName" in parts:
        blob = f"https://{parts['AccountName']}.blob.{parts['EndpointSuffix']}"
        parts.setdefault("BlobEndpoint", blob)
    names = {
        "AccountName": "account_name",
        "AccountKey": "account_key",
        "BlobEndpoint": "endpoint",
        "SharedAccessSignature": "sas_key",
    }
    return {ours: parts[theirs] for theirs, ours in names.items() if theirs in parts}


@contextmanager
def _explained(url: str, cloud: _Cloud) -> Generator[None, None, None]:
    """Turn what obstore raises into a SourceError; the text of its own may hold keys."""
    try:
        yield
    except SourceError:
        raise
    except Exception as error:
        raise _as_source_error(error, url, cloud) from None


def _as_source_error(error: Exception, url: str, cloud: _Cloud) -> SourceError:
    """Say what obstore's error means, and whether a retry may help."""
    # Without a password in an address; and a key such as certificates.csv shall tell nothing.
    text = re.sub(r"://[^/\s]*@", "://", f"{type(error).__name__}: {error}")
    text = re.sub(rf"(://[^/\s]+)({_KEEPER})?\S*", r"\1\2", text)
    pattern, message = next(fault for fault in _FAULTS.items() if re.search(fault[0], text))
    status = re.search(r"status code: (\d{3})", text)
    code = re.search(r"<Code>(\w+)</Code>", text)
    host = re.search(r"GET \w+://(\S+)", text)
    said = message.format(
        url=url,
        answer=" ".join(found[1] for found in (status, code) if found),
        credentials=cloud.credentials,
        host=host[1] if host else "its host",
        where=f"Is {name} right?" if (name := _endpoint(cloud)[0]) else "Is the network up?",
        text=text.partition("\n")[0][:200],
    )
    return SourceError(said, transient=pattern in _TRANSIENT)
