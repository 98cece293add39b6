"""One client for all requests of a source: whom it tells secrets, how long it waits.

It makes a request again only where the server says when (Retry-After); every other fault
is an error at once, so that Prefect's retries are seen in the run.
"""

import logging
import ssl
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType

import httpx2
from pydantic import SecretStr

from ingest.errors import SourceError
from ingest.say import Line, Say
from ingest.sources.request import Request, plain, without_secrets

USER_AGENT = f"prefect-blueprint (httpx2/{httpx2.__version__})"
READ_AT_ONCE = 1 << 20  # bytes; to handle a piece of the library's 64 kB takes as long as to get it
# Until so many bytes were once given back, Linux's C library maps memory of over 128 kB anew for
# each read, which halves what comes through TLS in records of 16 kB.
_GIVEN_BACK = 30 << 20
RETRY_AFTER_LIMIT = 300.0  # seconds that one request waits for a server in all
MAX_REDIRECTS = 20
# Answers that a server gives for its own momentary trouble.
_TRANSIENT_STATUS = {408, 425, 429}
_ASKS_TO_WAIT = {429, 503}

# At INFO the library writes each address into the log, with what is secret in its query.
logging.getLogger("httpx2").setLevel(logging.WARNING)


class Client:
    """Asks the host of `location` for what `request` says, within its time."""

    def __init__(self, location: str, request: Request, say: Say) -> None:
        with self._faults(without_secrets(location)):
            self._home = httpx2.URL(location)
        self._request = request
        self._headers = request.sent_headers()
        self._say = say
        self._ends = time.monotonic() + request.total
        # The transports come with the client, and would take their time at each start of a flow.
        import httpcore2

        if httpcore2.HTTP11Connection.READ_NUM_BYTES != READ_AT_ONCE:  # once for all clients
            httpcore2.HTTP11Connection.READ_NUM_BYTES = READ_AT_ONCE
            bytearray(_GIVEN_BACK)
        # No transport of our own: with one, the proxy variables would count for nothing.
        self._client = httpx2.Client(headers={"User-Agent": USER_AGENT})

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    @contextmanager
    def get(
        self, address: str, headers: Mapping[str, str], shown: str, query: Mapping[str, str] | None
    ) -> Generator[httpx2.Response, None, None]:
        """The answer to a GET of `address`, its body not yet read; any status.

        query: parameters for this address, besides those of the request; None for an address
        that the server itself named. Raises SourceError.
        """
        with self._faults(shown):
            url = self._completed(httpx2.URL(address), query)
            waited = 0.0
            while True:
                response = self._follow(url, headers, shown)
                try:
                    pause = _pause(response)
                    if pause is None:
                        yield response
                        return
                finally:
                    response.close()
                waited += pause
                self._wait(pause, waited, response, shown)

    def blocks(self, response: httpx2.Response, shown: str) -> Iterator[bytes]:
        """The body as it comes, still encoded; SourceError when the time is over."""
        with self._faults(shown):
            # With a size the library would copy each block once more, at a third of the speed.
            for block in response.iter_raw():
                self._left(shown)
                yield block

    def _follow(self, url: httpx2.URL, headers: Mapping[str, str], shown: str) -> httpx2.Response:
        """Send the request and follow its redirects.

        The library's own way to follow takes only Authorization off where another host is
        asked; a key in a header of another name would go there.
        """
        request = self._client.build_request("GET", url, headers=dict(headers))
        for _ in range(MAX_REDIRECTS + 1):
            for name, value in self._headers.items():
                request.headers.pop(name, None)
                if self._is_home(request.url):
                    request.headers[name] = value
            left = self._left(shown)
            read, connect = min(self._request.read, left), min(self._request.connect, left)
            request.extensions["timeout"] = httpx2.Timeout(read, connect=connect).as_dict()
            response = self._client.send(request, stream=True)
            if response.next_request is None:
                return response
            response.close()
            request = response.next_request
        raise SourceError(
            f"{shown} redirects more than {MAX_REDIRECTS} times: the addresses lead in a circle. "
            "Check source_url in a browser or with curl."
        )

    def _completed(self, url: httpx2.URL, query: Mapping[str, str] | None) -> httpx2.URL:
        """The address with its parameters and, on the source's own host, its credentials."""
        params: dict[str, str] = {}
        if self._is_home(url):
            if self._home.userinfo and not url.userinfo:
                url = url.copy_with(username=self._home.username, password=self._home.password)
            for name, value in self._request.params.items():
                # What a server names it means as it stands; only keys it leaves out of it.
                if query is not None or isinstance(value, SecretStr) and name not in url.params:
                    params[name] = plain(value)
        params.update(query or {})
        # An address to which nothing is added stays letter for letter: it may be signed.
        return url.copy_merge_params(params) if params else url

    def _is_home(self, url: httpx2.URL) -> bool:
        """Whether this is the source's own scheme, host and port, or its step up to TLS."""
        if url.origin == self._home.origin:
            return True
        steps_up = (self._home.scheme, url.scheme) == ("http", "https")
        default_ports = self._home.port is None and url.port is None
        return steps_up and default_ports and self._home.host == url.host

    def _left(self, shown: str) -> float:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise SourceError(
                f"{shown} was not fetched within {self._request.total:g} s, the limit `total` "
                "of its Request. Raise it in extract.py if that time is in order."
            )
        return left

    def _wait(self, pause: float, waited: float, response: httpx2.Response, shown: str) -> None:
        """Wait as long as the server asks. Raises SourceError where that is too long."""
        asks = f"{shown} answered {response.status_code} and asks to wait {pause:,.0f} s"
        if waited > RETRY_AFTER_LIMIT or pause > self._left(shown):
            raise SourceError(
                f"{asks} (Retry-After); a run waits {min(RETRY_AFTER_LIMIT, self._request.total):,.0f}"
                " s at most. Run it again later, or ask less often."
            )
        self._say(Line(f"{asks} (Retry-After), which the run does"))
        ends = time.monotonic() + pause
        while (left := ends - time.monotonic()) > 0:
            self._say(f"{asks}: {left:,.0f} s more")
            time.sleep(min(left, 1.0))

    @contextmanager
    def _faults(self, shown: str) -> Generator[None, None, None]:
        try:
            yield
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            if isinstance(error, httpx2.TimeoutException):
                self._left(shown)
            # The message says it all; three libraries' tracebacks would bury it in the log.
            raise as_source_error(error, shown) from None


def check_status(response: httpx2.Response, shown: str, *, allowed: frozenset[int]) -> None:
    """Raise SourceError for a status that is not in `allowed`."""
    status = response.status_code
    if status in allowed:
        return
    answer = f"{shown} answered {status} {response.reason_phrase}".rstrip()
    if status >= 500 or status in _TRANSIENT_STATUS:
        raise SourceError(f"{answer}, which usually passes: try again later.", transient=True)
    if status == 202:
        raise SourceError(f"{answer}: the data are not ready yet.", transient=True)
    advice = {
        401: "It asks for credentials.",
        403: "It asks for other credentials.",
        404: "There is nothing at that address.",
        410: "There is nothing at that address any more.",
    }.get(status, "")
    raise SourceError(f"{answer}. {advice} Check source_url in a browser or with curl.")


def as_source_error(error: Exception, shown: str) -> SourceError:
    """Say what the HTTP library's error means, and whether a retry may help."""
    if isinstance(error, httpx2.TimeoutException):
        waited = "connect" if isinstance(error, httpx2.ConnectTimeout) else "answer"
        return SourceError(f"{shown} took too long to {waited}.", transient=True)
    if isinstance(error, httpx2.RemoteProtocolError):
        why = str(error).rstrip(".")
        if "without sending a response" in why:
            return SourceError(f"{shown} closed the connection without an answer.", transient=True)
        return SourceError(f"The body from {shown} was cut short: {why}.", transient=True)
    if isinstance(error, httpx2.NetworkError):
        if _is_certificate_fault(error):
            return SourceError(f"The certificate of {shown} is not trusted: {error}.")
        return SourceError(
            f"The connection to {shown} failed: {error}. Is that server up, and source_url right?",
            transient=True,
        )
    if isinstance(error, httpx2.InvalidURL):
        # Its message quotes the address, and what is wrong may be a password's character.
        return SourceError(
            f"{shown} is no address that can be asked. Check source_url: a character such as / or "
            "@ in a password must be percent-encoded."
        )
    return SourceError(f"{shown} cannot be fetched: {error}. Check source_url.")


def _pause(response: httpx2.Response) -> float | None:
    """The seconds that the server asks to wait, or None where it does not ask."""
    asked = response.headers.get("retry-after", "").strip()
    if response.status_code not in _ASKS_TO_WAIT or not asked:
        return None
    if asked.isdecimal():
        seconds = float(asked)
    else:
        try:
            moment = parsedate_to_datetime(asked)
        except ValueError:
            return None
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = (aware - datetime.now(UTC)).total_seconds()
    # At least a second, or a server that asks for none would be asked without end.
    return max(seconds, 1.0)


def _is_certificate_fault(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
