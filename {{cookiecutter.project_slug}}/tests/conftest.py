"""What the tests share: a source over HTTP, and a Prefect of their own."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

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


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """A temporary Prefect server with a database of its own, for the tests that run a flow."""
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield
