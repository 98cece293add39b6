"""What goes wrong on the way to an object: no credentials, no store, an answer that is amiss.

What no emulator does on demand, such as a body that breaks off, is answered by a small server.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ingest.sources.objects import download
from ingest.sources.request import Request

from .objects import BIG, CLOSED, Stopped, nothing_set, refused, stop_at_first_block  # noqa: F401

ENDPOINTS = {
    "s3": "AWS_ENDPOINT_URL",
    "gs": "GOOGLE_BASE_URL",
    "az": "AZURE_STORAGE_ENDPOINT",
}


@pytest.mark.parametrize("scheme", ENDPOINTS)
def test_without_credentials_the_variables_to_set_are_named(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if scheme == "az":
        assert "AZURE_STORAGE_ACCOUNT_NAME" in str(refused("az://container/x.csv", tmp_path))
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    error = refused(f"{scheme}://bucket/x.csv", tmp_path)
    assert f"There are no usable credentials for {scheme}://bucket/x.csv. Set " in str(error)
    assert not error.transient


@pytest.mark.parametrize("scheme", ENDPOINTS)
def test_an_endpoint_that_refuses_connections_is_named_and_transient(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_keys(monkeypatch)
    monkeypatch.setenv(ENDPOINTS[scheme], CLOSED)
    error = refused(f"{scheme}://bucket/x.csv", tmp_path)
    assert f"The connection to 127.0.0.1:9 failed. Is {ENDPOINTS[scheme]} right?" in str(error)
    assert error.transient


def test_a_key_that_reads_like_a_fault_is_not_taken_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_keys(monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://user:passw0rd@127.0.0.1:9")
    error = refused("s3://bucket/certificates/TimedOut 169.254.1.1 service account.csv", tmp_path)
    assert "The connection to 127.0.0.1:9 failed" in str(error) and error.transient
    assert "passw0rd" not in str(error)


@pytest.mark.parametrize("scheme", ENDPOINTS)
@pytest.mark.parametrize("endpoint", ["nonsense", "127.0.0.1:9000", "ftp://host", "http://a b"])
def test_an_endpoint_that_is_no_address_stops_with_its_variable(
    scheme: str, endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_keys(monkeypatch)
    monkeypatch.setenv(ENDPOINTS[scheme], endpoint)
    error = refused(f"{scheme}://bucket/x.csv", tmp_path)
    assert f"The endpoint in {ENDPOINTS[scheme]} is no address" in str(error)
    assert not error.transient


def with_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {
        "AWS_ACCESS_KEY_ID": "AKIAKNOWN",
        "AWS_SECRET_ACCESS_KEY": "s3cret",
        "GOOGLE_SKIP_SIGNATURE": "true",
        "AZURE_STORAGE_ACCOUNT_NAME": "account",
        "AZURE_STORAGE_ACCOUNT_KEY": "c2VjcmV0",
    }
    for name, value in keys.items():
        monkeypatch.setenv(name, value)


@dataclass
class Served:
    """What a server was asked, and what it answers, one after another, the last for good."""

    answers: list[dict[str, Any]]
    requests: list[dict[str, str]] = field(default_factory=list)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Served]]:
    """An S3 that answers as it is told: status, body, headers, how much of the body it
    sends, and what then, ten times a second, without an end."""
    script, over = Served([]), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            number = min(len(script.requests), len(script.answers) - 1)
            answer = {"status": 200, "body": b"", "headers": {}} | script.answers[number]
            script.requests.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(answer["status"])
            standard = {"Content-Length": str(len(answer["body"])), "ETag": '"one"'}
            standard["Last-Modified"] = "Tue, 24 Nov 2026 09:00:00 GMT"
            for name, value in (standard | answer["headers"]).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer["body"][: answer.get("sent")])
            with contextlib.suppress(OSError):  # it is not waited for any more
                while "then" in answer and not over.wait(0.1):
                    self.wfile.write(answer["then"])
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    with_keys(monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")

    def start(*answers: dict[str, Any]) -> Served:
        script.answers.extend(answers)
        return script

    yield start
    over.set()
    server.shutdown()
    thread.join()
    server.server_close()


def part(body: bytes, begin: int, **headers: str) -> dict[str, Any]:
    """The answer to a request for the bytes from `begin` on."""
    span = f"bytes {begin}-{len(body) - 1}/{len(body)}"
    return {"status": 206, "body": body[begin:], "headers": {"Content-Range": span} | headers}


def test_a_body_that_breaks_off_is_transient_and_the_next_try_goes_on(
    served: Callable[..., Served], tmp_path: Path
) -> None:
    sent = 9 * 1024 * 1024
    script = served({"body": BIG, "sent": sent})
    error = refused("s3://bucket/big.bin", tmp_path)
    assert "cut short" in str(error) and error.transient
    there = (tmp_path / "source").stat().st_size
    assert 0 < there <= sent
    script.answers.append(part(BIG, there))
    assert download("s3://bucket/big.bin", tmp_path)[0].read_bytes() == BIG
    assert script.requests[1]["range"] == f"bytes={there}-"
    assert script.requests[1]["if-match"] == '"one"'


def test_a_server_that_passes_over_if_match_is_found_out(
    served: Callable[..., Served], tmp_path: Path
) -> None:
    changed = BIG[::-1]
    script = served({"body": BIG})
    with pytest.raises(Stopped):
        download("s3://bucket/big.bin", tmp_path, stop_at_first_block)
    there = (tmp_path / "source").stat().st_size
    script.answers += [part(changed, there, ETag='"two"'), {"body": changed}]
    assert download("s3://bucket/big.bin", tmp_path)[0].read_bytes() == changed


@pytest.mark.parametrize(("limit", "piece"), [("read", b""), ("total", b"x")])
def test_a_body_that_comes_too_slowly_ends_at_the_limit_that_was_set(
    served: Callable[..., Served], tmp_path: Path, limit: str, piece: bytes
) -> None:
    served({"body": BIG, "sent": 100, "then": piece})
    error = refused("s3://bucket/big.bin", tmp_path, Request(**{limit: 0.5}))
    assert "took longer than the timeouts of its Request allow" in str(error) and error.transient


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_momentary_fault_is_transient_and_asked_once(
    served: Callable[..., Served], tmp_path: Path, status: int
) -> None:
    script = served({"status": status, "body": b"<Error><Code>SlowDown</Code></Error>"})
    error = refused("s3://bucket/x.csv", tmp_path)
    assert f"answered {status} SlowDown" in str(error) and error.transient
    assert len(script.requests) == 1, "a hidden retry"


def test_what_a_denial_says_of_the_key_is_not_repeated(
    served: Callable[..., Served], tmp_path: Path
) -> None:
    body = (
        b"<Error><Code>InvalidAccessKeyId</Code><AWSAccessKeyId>AKIAKNOWN</AWSAccessKeyId></Error>"
    )
    served({"status": 403, "body": body})
    error = refused("s3://bucket/x.csv", tmp_path)
    assert "403 InvalidAccessKeyId" in str(error) and "AWS_ACCESS_KEY_ID" in str(error)
    assert "AKIAKNOWN" not in str(error) and not error.transient


def test_a_bucket_of_another_region_names_the_variable(
    served: Callable[..., Served], tmp_path: Path
) -> None:
    served({"status": 301, "body": b"<Error><Code>PermanentRedirect</Code></Error>"})
    error = refused("s3://bucket/x.csv", tmp_path)
    assert "AWS_REGION" in str(error) and not error.transient
