"""Objects of real servers, in the place of S3, Google Cloud Storage and Azure, come to a file.

moto, fake-gcs-server and Azurite answer as the clouds do; what none of them does on demand, such
as a body that breaks off, is answered here by a small server.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import obstore
import pytest
from ingest.errors import SourceError
from ingest.sources.objects import download
from ingest.sources.request import Request

from .emulators import EMULATORS, Emulator

BIG = bytes(range(256)) * 4 * 1024 * 12  # 12 MiB: three blocks
CLOSED = "http://127.0.0.1:9"
ENDPOINTS = {
    "s3": "AWS_ENDPOINT_URL",
    "gs": "GOOGLE_BASE_URL",
    "az": "AZURE_STORAGE_ENDPOINT",
}


class Stopped(Exception):
    """A run that ends in the middle of a download."""


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials of the machine; and no metadata service of a cloud's machine answers."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "GOOGLE_", "AZURE_", "IDENTITY_")) or name == "SSL_CERT_FILE":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", CLOSED)
    monkeypatch.setenv("GCE_METADATA_HOST", "127.0.0.1:9")
    monkeypatch.setenv("AZURE_MSI_ENDPOINT", f"{CLOSED}/metadata/identity/oauth2/token")
    monkeypatch.setenv("no_proxy", "127.0.0.1,169.254.169.254,metadata.google.internal")


@pytest.fixture(scope="module")
def emulators() -> Iterator[Callable[[str], Emulator]]:
    running: dict[str, Emulator] = {}
    with contextlib.ExitStack() as stack:

        def start(scheme: str) -> Emulator:
            if scheme not in running:
                running[scheme] = stack.enter_context(EMULATORS[scheme]())
            return running[scheme]

        yield start


@pytest.fixture(params=list(EMULATORS))
def cloud(
    request: pytest.FixtureRequest,
    emulators: Callable[[str], Emulator],
    monkeypatch: pytest.MonkeyPatch,
) -> Emulator:
    """Each of the three clouds, with its credentials in the environment."""
    return known(emulators(request.param), monkeypatch)


def known(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    for name, value in emulator.variables.items():
        monkeypatch.setenv(name, value)
    return emulator


def test_an_emulator_ends_while_a_body_is_half_read() -> None:
    with EMULATORS["az"]() as emulator:
        emulator.put("big.bin", BIG * 10)
        half = iter(obstore.get(emulator.store(), "big.bin").stream(min_chunk_size=1000))
        next(half)
    address = urlsplit(emulator.endpoint)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address.hostname or "", address.port or 0))


def refused(url: str, folder: Path, request: Request | None = None) -> SourceError:
    with pytest.raises(SourceError) as caught:
        download(url, folder, request=request)
    shown = caught.value.__suppress_context__ or caught.value.__context__ is None
    assert shown, "what obstore says would be logged below the message"
    return caught.value


def stop_at_first_block(_: str) -> None:
    raise Stopped


def test_an_object_comes_whole_with_its_type(cloud: Emulator, tmp_path: Path) -> None:
    url = cloud.put("2026/11/my orders (ä).csv", BIG)
    said: list[str] = []
    path, content_type = download(url, tmp_path, said.append)
    assert path == tmp_path / "source" and path.read_bytes() == BIG
    assert content_type == "text/csv"
    assert said[-1] == f"Fetched 12.6 of 12.6 MB from {url}" and len(said) > 1


def test_an_empty_object_is_an_empty_file(cloud: Emulator, tmp_path: Path) -> None:
    path, _ = download(cloud.put("empty.csv", b""), tmp_path)
    assert path.read_bytes() == b""


def test_a_stopped_download_goes_on_where_it_ended(cloud: Emulator, tmp_path: Path) -> None:
    url = cloud.put("big.bin", BIG)
    with pytest.raises(Stopped):
        download(url, tmp_path, stop_at_first_block)
    there = (tmp_path / "source").stat().st_size
    assert 0 < there < len(BIG)
    said: list[str] = []
    path, _ = download(url, tmp_path, said.append)
    assert path.read_bytes() == BIG
    assert len(said) == -(-(len(BIG) - there) // (4 * 1024 * 1024)), "some blocks came again"


def test_a_stopped_download_of_what_has_changed_since_begins_anew(
    cloud: Emulator, tmp_path: Path
) -> None:
    url = cloud.put("changing.bin", BIG)
    with pytest.raises(Stopped):
        download(url, tmp_path, stop_at_first_block)
    cloud.put("changing.bin", BIG[::-1] + b"more")
    assert download(url, tmp_path)[0].read_bytes() == BIG[::-1] + b"more"


def test_another_object_never_continues_the_first(cloud: Emulator, tmp_path: Path) -> None:
    one, other = cloud.put("one.bin", BIG), cloud.put("other.bin", BIG[::-1])
    with pytest.raises(Stopped):
        download(one, tmp_path, stop_at_first_block)
    assert download(other, tmp_path)[0].read_bytes() == BIG[::-1]


def test_a_whole_file_is_fetched_again_in_a_retry(cloud: Emulator, tmp_path: Path) -> None:
    url = cloud.put("small.csv", b"a,b\n1,2\n")
    download(url, tmp_path)
    assert download(url, tmp_path)[0].read_bytes() == b"a,b\n1,2\n"


def test_an_object_that_is_not_there_says_so(cloud: Emulator, tmp_path: Path) -> None:
    error = refused(cloud.url("nowhere.csv"), tmp_path)
    assert f"There is no object at {cloud.url('nowhere.csv')}" in str(error)
    assert not error.transient and not list(tmp_path.iterdir())


def test_a_bucket_that_is_not_there_says_so(cloud: Emulator, tmp_path: Path) -> None:
    error = refused(f"{cloud.scheme}://no-such-bucket/orders.csv", tmp_path)
    # fake-gcs-server does not tell a missing bucket from a missing object; Google does.
    missing = "There is no object" if cloud.scheme == "gs" else "names a bucket or container"
    assert missing in str(error) and "Correct" in str(error) and not error.transient


def test_an_object_over_the_limit_is_not_fetched(cloud: Emulator, tmp_path: Path) -> None:
    error = refused(cloud.put("big.bin", BIG), tmp_path, Request(max_bytes=10**7))
    assert "has 12.6 MB, more than the 10.0 MB" in str(error) and not error.transient
    assert not list(tmp_path.iterdir())


def test_an_account_key_that_azure_refuses_is_named_and_not_shown(
    emulators: Callable[[str], Emulator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known(emulators("az"), monkeypatch)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "c2VjcmV0LXNlY3JldA==")
    error = refused("az://bucket/orders.csv", tmp_path)
    assert "may not be read with these credentials (403" in str(error)
    assert "AZURE_STORAGE_ACCOUNT_KEY" in str(error) and "c2VjcmV0" not in str(error)
    assert not error.transient


def test_azures_connection_string_is_understood(
    emulators: Callable[[str], Emulator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    azurite = emulators("az")
    url = azurite.put("connected.csv", b"a\n1\n")
    name, key, endpoint = (
        azurite.variables[f"AZURE_STORAGE_{part}"]
        for part in ("ACCOUNT_NAME", "ACCOUNT_KEY", "ENDPOINT")
    )
    connection = f"AccountName={name};AccountKey={key};BlobEndpoint={endpoint};"
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection)
    assert download(url, tmp_path)[0].read_bytes() == b"a\n1\n"


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
