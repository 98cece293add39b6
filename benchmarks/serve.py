"""A web server for the files of a folder: `python serve.py <folder>` prints its port.

A process of its own, which hands the bytes to the kernel (sendfile), so that serving takes
little of what the candidates need.
"""

from __future__ import annotations

import functools
import sys
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    extensions_map = {
        ".ndjson": "application/x-ndjson",
        ".json": "application/json",
        ".csv": "text/csv",
        ".gz": "application/gzip",
        ".parquet": "application/vnd.apache.parquet",
        "": "application/octet-stream",
    }

    def copyfile(self, source: Any, outputfile: Any) -> None:
        try:
            self.connection.sendfile(source)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # who asked has seen enough

    def log_message(self, format: str, *args: Any) -> None:
        pass


def main() -> None:
    handler = functools.partial(_Handler, directory=sys.argv[1])
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
