"""How a source is asked: what a request carries, its limits, and how its address is shown."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import SecretStr

from ingest.errors import SourceError
from ingest.sources.styles import Pages

# Hears of progress, often; whoever listens throttles.

_PLACEHOLDER = re.compile(r"\{(since|until)\}")
# Parameters of a query whose values are keys: signed links of the clouds, tokens of APIs.
_SECRET_NAME = re.compile(
    r"token|secret|passw|signature|credential|api[-_]?key|^(sig|key|auth|authorization)$",
    re.IGNORECASE,
)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a source is asked with. Secret values are SecretStr and never shown.

    Of an object store's, the timeouts and `max_bytes` count, of a file's nothing.

    headers, params: sent with each request to the source's own host, and to no other.
        A value of `params` may hold {since} and {until}; see `fill`.
    bearer: the token of an Authorization header.
    connect, read, total: timeouts in seconds; `read` is the time without a byte, `total`
        that of one whole try, its waits included.
    max_bytes: a larger source is refused, whether or not it says its size beforehand.
    pages: how the API divides its answer; None where one answer holds all.

    Raises SourceError for what no header can hold.
    """

    headers: Mapping[str, str | SecretStr] = field(default_factory=dict, repr=False)
    params: Mapping[str, str | int | SecretStr] = field(default_factory=dict, repr=False)
    bearer: SecretStr | None = None
    connect: float = 10.0
    read: float = 60.0
    total: float = 4 * 3600.0
    max_bytes: int = 100 * 10**9
    pages: Pages | None = None

    def __post_init__(self) -> None:
        if self.bearer is not None and not isinstance(self.bearer, SecretStr):
            raise SourceError(
                "Request(bearer=...) takes a secret, not plain text: write "
                'bearer=secret("env:API_TOKEN"), with secret from runtime.secrets.'
            )
        for name, value in self.sent_headers().items():
            if not _HEADER_NAME.fullmatch(name):
                raise SourceError(f"{name!r} cannot be the name of a header.")
            # The HTTP library's own message would show the value.
            if not (value.isascii() and value.isprintable() and value == value.strip()):
                raise SourceError(
                    f"The value of the header {name} begins or ends with a space, or holds a line "
                    "break or another character that no header may hold. Write the secret anew "
                    "without it."
                )

    def sent_headers(self) -> dict[str, str]:
        """The headers in plain text, as they are sent."""
        headers = {name: plain(value) for name, value in self.headers.items()}
        if self.bearer is not None:
            headers["Authorization"] = f"Bearer {plain(self.bearer)}"
        return headers

    def filled(self, since: datetime | None, until: datetime | None) -> "Request":
        """The same with {since} and {until} filled; a parameter that lacks its time is dropped."""
        params: dict[str, str | int | SecretStr] = {}
        for name, value in self.params.items():
            text = _filled(value, since, until) if isinstance(value, str) else value
            if text is not None:
                params[name] = text
        return replace(self, params=params)


def plain(value: str | int | SecretStr) -> str:
    """The value as text, a secret's too: for what is sent and never for what is shown."""
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def fill(location: str, since: datetime | None, until: datetime | None) -> str:
    """Fill {since} and {until} in an address with times as ISO 8601 in UTC.

    A parameter of the query whose time is None is dropped, so that a full run asks for
    everything. Raises SourceError for a placeholder elsewhere that has no time.
    """
    if not _PLACEHOLDER.search(location) or "://" not in location:
        return location
    parts = urlsplit(location)
    pairs = [_filled(pair, since, until, ":") for pair in parts.query.split("&")]
    query = "&".join(pair for pair in pairs if pair is not None)
    path = _filled(parts.path, since, until, ":")
    if path is None:
        raise SourceError(
            f"{without_secrets(location)} has a placeholder in its path, and this run has no time "
            "for it. Only a parameter of the query can be left out."
        )
    return urlunsplit(parts._replace(query=query, path=path))


def _filled(
    text: str, since: datetime | None, until: datetime | None, safe: str | None = None
) -> str | None:
    """The text with its times, percent-encoded save for `safe`; None where a time is missing."""
    times = {"since": since, "until": until}
    for name in set(_PLACEHOLDER.findall(text)):
        moment = times[name]
        if moment is None:
            return None
        shown = _iso(moment) if safe is None else quote(_iso(moment), safe=safe)
        text = text.replace("{" + name + "}", shown)
    return text


def _iso(moment: datetime) -> str:
    """ISO 8601 in UTC; a time without a zone is taken to be in UTC already."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")


def without_secrets(location: str) -> str:
    """The location fit to be shown: a password or a key in it is replaced by ***."""
    if "://" not in location:
        return location
    try:
        parts = urlsplit(location)
        parts.port  # noqa: B018 - a password with a slash in it reads as a port that is none
    except ValueError:
        return location.partition("://")[0] + "://***"
    if parts.password:
        host = parts.netloc.rpartition("@")[2]
        parts = parts._replace(netloc=f"{parts.username}:***@{host}")
    pairs = (pair.partition("=") for pair in parts.query.split("&"))
    query = "&".join(
        f"{name}=***" if mark and _SECRET_NAME.search(name) else name + mark + value
        for name, mark, value in pairs
    )
    if not parts.password and query == parts.query:
        return location
    return urlunsplit(parts._replace(query=query))
