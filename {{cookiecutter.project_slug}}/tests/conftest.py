"""What the tests share: a source over HTTP, merges in small parts, and a Prefect of their own."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, BinaryIO
from urllib.parse import parse_qsl, urlsplit

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: starts a Prefect server (deselect: -m 'not slow')")


@dataclass
class Served:
    """A running source: its address, and the requests it has had."""

    url: str
    requests: list[dict[str, str]]


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """Start a server that gives the answers in turn, and the last one ever after.

    An answer is a dict: status, body, headers, and `promised` where Content-Length shall
    name another number of bytes than the body has.
    """
    servers: list[ThreadingHTTPServer] = []

    def start(*answers: dict[str, Any], name: str = "orders.ndjson") -> Served:
        requests: list[dict[str, str]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer = answers[min(len(requests), len(answers) - 1)]
                requests.append({key.lower(): value for key, value in self.headers.items()})
                body = answer.get("body", b"")
                self.send_response(answer.get("status", 200))
                for key, value in answer.get("headers", {}).items():
                    self.send_header(key, value)
                self.send_header("Content-Length", str(answer.get("promised", len(body))))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        return Served(f"http://127.0.0.1:{server.server_port}/{name}", requests)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@dataclass
class Asked:
    """One request that a site had: its headers have lower case names."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    client: tuple[str, int]


@dataclass
class Site:
    """A server whose answers a function makes: its address, and what it was asked."""

    server: ThreadingHTTPServer
    asked: list[Asked] = field(default_factory=list)
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def site() -> Iterator[Callable[..., Site]]:
    """Start an HTTP/1.1 server that answers with what a function makes of each request.

    It returns a dict: status, body, headers; or raw, a function that writes all that follows
    the headers, which then name no length of their own; or hang_up, for no answer at all.
    """
    sites: list[Site] = []

    def start(answer: Callable[[Asked], dict[str, Any]], tls: Any = None) -> Site:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Else each answer on a kept connection waits 40 ms for the client's acknowledgement.
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = dict(parse_qsl(parts.query, keep_blank_values=True))
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.path, query, headers, self.client_address)
                started.asked.append(asked)
                found = answer(asked)
                if found.get("hang_up"):
                    self.close_connection = True
                    return
                body, raw = found.get("body", b""), found.get("raw")
                self.send_response(found.get("status", 200))
                sent = {} if raw else {"Content-Length": str(len(body))}
                for name, value in (sent | found.get("headers", {})).items():
                    self.send_header(name, value)
                self.end_headers()
                if raw:
                    self.close_connection = True
                    _write(raw, self.wfile)
                else:
                    self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        started = Site(server)
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
            started.scheme = "https"
        server.handle_error = lambda request, client_address: None
        sites.append(started)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        return started

    yield start
    for each in sites:
        each.server.shutdown()
        each.server.server_close()


def _write(raw: Callable[[BinaryIO], None], file: Any) -> None:
    with suppress(OSError):  # the client has gone
        raw(file)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few rows are merged by key as many are: 7 of a part that lies together, else 30."""
    monkeypatch.setattr("ingest.sinks.key_parts._TOGETHER", 7)
    monkeypatch.setattr("ingest.sinks.key_parts._ANYWHERE", 30)


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """A temporary Prefect server with a database of its own, for the tests that run a flow."""
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield
