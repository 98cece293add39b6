"""The source of the failure scenarios: records over HTTP, from here, that fails as it is told to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest.mock import patch

from blueprint.pipelines.which import part

NEVER = 10**9


class Source:
    """The records over HTTP. `status` None closes the connection without an answer."""

    def __init__(self, file: Path) -> None:
        self.failing, self.status, self.asked = 0, 503, 0
        source = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                source.asked += 1
                if source.asked > source.failing:
                    self._answer(200, file.read_bytes())
                elif source.status:
                    self._answer(source.status, b"")

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/{file.name}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def fail(self, times: int, status: int = 503) -> None:
        """Fail so often from now on, then answer; with status 0, say nothing at all."""
        self.failing, self.status, self.asked = times, status, 0

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def served(file: Path, package: str) -> Iterator[Source]:
    """The file over HTTP, asked without the credentials and pages of the pipeline's own source."""
    from ingest.sources import Request

    extract = part(package, "extract")
    source = Source(file)
    with ExitStack() as stack:
        stack.callback(source.close)
        if hasattr(extract, "request"):
            stack.enter_context(patch.object(extract, "request", Request))
        yield source
