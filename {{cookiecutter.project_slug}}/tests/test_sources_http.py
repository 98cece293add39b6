"""A download is whole or an error, goes on where it broke off, and keeps its secrets."""

import gzip
import logging
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from pydantic import SecretStr

from ingest.errors import SourceError
from ingest.say import Line
from ingest.sources import Request, fetch

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Start = Callable[..., Any]
BODY = b"".join(b'{"id": %d, "name": "order"}\n' % number for number in range(1000))
HALF = len(BODY) // 2
TOKEN = "s3cret-token"


def refused(url: str, folder: Path, request: Request | None = None, **more: Any) -> SourceError:
    with pytest.raises(SourceError) as caught:
        fetch(url + "/orders.ndjson", folder, options=request, **more)
    return caught.value


def first_half(file: BinaryIO) -> None:
    file.write(BODY[:HALF])


def interrupted(headers: dict[str, str]) -> dict[str, Any]:
    return {"raw": first_half, "headers": {"Content-Length": str(len(BODY))} | headers}


def rest(asked: Any, begin: int = HALF, total: int = len(BODY), **headers: str) -> dict[str, Any]:
    shown = {"Content-Range": f"bytes {begin}-{len(BODY) - 1}/{total}"} | headers
    return {"status": 206, "body": BODY[begin:], "headers": shown}


def test_an_interrupted_download_goes_on_where_it_broke_off(site: Start, tmp_path: Path) -> None:
    def answer(asked: Any) -> dict[str, Any]:
        tag = {"ETag": '"one"'}
        return rest(asked, ETag='"one"') if "range" in asked.headers else interrupted(tag)

    served = site(answer)
    assert refused(served.url, tmp_path).transient
    source = fetch(served.url + "/orders.ndjson", tmp_path)
    assert source.path.read_bytes() == BODY
    assert served.asked[1].headers["range"] == f"bytes={HALF}-"
    assert served.asked[1].headers["if-range"] == '"one"'
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_date_of_change_will_do_in_place_of_a_tag(site: Start, tmp_path: Path) -> None:
    changed = format_datetime(datetime.now(UTC) - timedelta(days=1), usegmt=True)

    def answer(asked: Any) -> dict[str, Any]:
        headers = {"Last-Modified": changed}
        return rest(asked) if asked.headers.get("if-range") == changed else interrupted(headers)

    served = site(answer)
    refused(served.url, tmp_path)
    assert fetch(served.url + "/orders.ndjson", tmp_path).path.read_bytes() == BODY


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"weak"'}, {"Last-Modified": "now"}])
def test_without_a_strong_validator_it_begins_anew(
    site: Start, tmp_path: Path, headers: dict[str, str]
) -> None:
    if "Last-Modified" in headers:
        headers = {"Last-Modified": format_datetime(datetime.now(UTC), usegmt=True)}
    answers = iter([interrupted(headers), {"body": BODY}])
    served = site(lambda asked: next(answers))
    refused(served.url, tmp_path)
    assert fetch(served.url + "/orders.ndjson", tmp_path).path.read_bytes() == BODY
    assert "range" not in served.asked[1].headers


CHANGED = b'{"id": 7}\n'


@pytest.mark.parametrize(
    "second",
    [
        {"body": CHANGED},
        {"status": 416, "headers": {"Content-Range": "bytes */10"}},
        {"status": 206, "body": CHANGED, "headers": {"Content-Range": "bytes 0-9/10"}},
        {"status": 206, "body": CHANGED},
        rest(None, ETag='"two"'),
        rest(None, total=5 * len(BODY)),
    ],
)
def test_a_body_that_has_changed_is_fetched_from_its_start(
    site: Start, tmp_path: Path, second: dict[str, Any]
) -> None:
    answers = iter([interrupted({"ETag": '"one"'}), second, {"body": CHANGED}])
    served = site(lambda asked: next(answers))
    refused(served.url, tmp_path)
    assert fetch(served.url + "/orders.ndjson", tmp_path).path.read_bytes() == CHANGED


def test_what_has_come_outlives_a_server_that_is_ill(site: Start, tmp_path: Path) -> None:
    answers = iter([interrupted({"ETag": '"one"'}), {"status": 500}, rest(None)])
    served = site(lambda asked: next(answers))
    refused(served.url, tmp_path)
    refused(served.url, tmp_path)
    assert fetch(served.url + "/orders.ndjson", tmp_path).path.read_bytes() == BODY


def test_a_part_for_which_nobody_asked_is_not_taken_for_the_whole(
    site: Start, tmp_path: Path
) -> None:
    error = refused(site(rest).url, tmp_path)
    assert "answered 206" in str(error)
    assert not error.transient


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_compressed_body_that_is_cut_short_is_never_a_short_file(
    site: Start, tmp_path: Path, encoding: str
) -> None:
    packed = gzip.compress(BODY) if encoding == "gzip" else zstd.compress(BODY)
    headers = {"Content-Encoding": encoding, "ETag": '"one"'}
    answers = iter([{"body": packed[:-6]}, {"body": packed}])
    served = site(lambda asked: next(answers) | {"headers": headers})
    error = refused(served.url, tmp_path)
    assert "cut short" in str(error) and error.transient
    assert fetch(served.url + "/orders.ndjson", tmp_path).path.read_bytes() == BODY
    assert all("range" not in asked.headers for asked in served.asked)


def test_a_file_is_asked_for_as_it_is_unless_the_user_says_otherwise(
    site: Start, tmp_path: Path
) -> None:
    served = site(lambda asked: {"body": BODY})
    fetch(served.url, tmp_path)
    fetch(served.url, tmp_path, options=Request(headers={"accept-encoding": "gzip"}))
    asked = [each.headers["accept-encoding"] for each in served.asked]
    assert asked == ["identity", "gzip"]


def test_all_members_of_a_gzip_body_are_read(site: Start, tmp_path: Path) -> None:
    packed = gzip.compress(BODY[:HALF]) + gzip.compress(BODY[HALF:])
    served = site(lambda asked: {"body": packed, "headers": {"Content-Encoding": "gzip"}})
    assert fetch(served.url + "/orders.ndjson", tmp_path).path.read_bytes() == BODY


def test_an_encoding_that_is_not_read_is_an_error(site: Start, tmp_path: Path) -> None:
    served = site(lambda asked: {"body": BODY, "headers": {"Content-Encoding": "br"}})
    assert "Content-Encoding: br" in str(refused(served.url, tmp_path))


def test_a_chunked_body_without_its_end_is_cut_short(site: Start, tmp_path: Path) -> None:
    def chunk(file: BinaryIO) -> None:
        file.write(b"%x\r\n%s\r\n" % (len(BODY), BODY))

    served = site(lambda asked: {"raw": chunk, "headers": {"Transfer-Encoding": "chunked"}})
    error = refused(served.url, tmp_path)
    assert "cut short" in str(error) and error.transient


def test_a_server_that_hangs_up_is_said_to_have_done_so(site: Start, tmp_path: Path) -> None:
    error = refused(site(lambda asked: {"hang_up": True}).url, tmp_path)
    assert str(error).endswith("closed the connection without an answer.") and error.transient


def test_an_endless_slow_body_ends_with_the_total_time(site: Start, tmp_path: Path) -> None:
    gone = threading.Event()

    def drip(file: BinaryIO) -> None:
        while not gone.wait(0.02):
            file.write(b" ")
            file.flush()

    served = site(lambda asked: {"raw": drip, "headers": {"Connection": "close"}})
    error = refused(served.url, tmp_path, Request(total=0.3))
    gone.set()
    assert "was not fetched within 0.3 s" in str(error) and not error.transient


@pytest.mark.parametrize(("limit", "words"), [("read", "took too long"), ("total", "within 0.2 s")])
def test_a_server_that_says_nothing_ends_with_the_timeout(
    site: Start, tmp_path: Path, limit: str, words: str
) -> None:
    gone = threading.Event()
    served = site(lambda asked: {"raw": lambda file: gone.wait(5)})
    request = Request(read=0.2) if limit == "read" else Request(total=0.2)
    error = refused(served.url, tmp_path, request)
    gone.set()
    assert words in str(error)
    assert error.transient == (limit == "read")


@pytest.mark.parametrize("limit", ["connect", "total"])
def test_a_host_that_does_not_connect_ends_with_the_timeout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    waited: list[Any] = []

    def nobody(address: Any, timeout: Any = None, **_: Any) -> None:
        waited.append(timeout)
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", nobody)
    request = Request(connect=5.0) if limit == "connect" else Request(total=5.0)
    error = refused("http://127.0.0.1:9", tmp_path, request)
    assert "took too long to connect" in str(error) and error.transient
    assert len(waited) == 1 and 0 < waited[0] <= 5


def test_a_body_that_says_it_is_too_large_is_not_begun(site: Start, tmp_path: Path) -> None:
    served = site(lambda asked: {"body": BODY})
    error = refused(served.url, tmp_path, Request(max_bytes=len(BODY) - 1))
    assert "max_bytes" in str(error) and not error.transient
    assert not (tmp_path / "source").exists()
    assert fetch(served.url + "/x.ndjson", tmp_path, options=Request(max_bytes=len(BODY))).size


def test_a_body_that_does_not_say_its_size_is_measured(site: Start, tmp_path: Path) -> None:
    def endless(file: BinaryIO) -> None:
        while True:
            file.write(BODY)

    served = site(lambda asked: {"raw": endless, "headers": {"Connection": "close"}})
    error = refused(served.url, tmp_path, Request(max_bytes=10 * len(BODY)))
    assert "max_bytes" in str(error)


def test_a_body_that_unpacks_to_too_much_is_refused(site: Start, tmp_path: Path) -> None:
    packed = gzip.compress(b" " * 10_000_000)
    served = site(lambda asked: {"body": packed, "headers": {"Content-Encoding": "gzip"}})
    assert "max_bytes" in str(refused(served.url, tmp_path, Request(max_bytes=1_000_000)))


def test_redirects_that_go_round_end(site: Start, tmp_path: Path) -> None:
    served = site(lambda asked: {"status": 302, "headers": {"Location": "/orders.ndjson"}})
    error = refused(served.url, tmp_path)
    assert "redirects more than 20 times" in str(error) and not error.transient


def test_credentials_go_to_the_sources_own_host_alone(site: Start, tmp_path: Path) -> None:
    other = site(lambda asked: {"body": BODY})

    def answer(asked: Any) -> dict[str, Any]:
        onward = other.url if asked.path.startswith("/second") else "/second"
        return {"status": 307, "headers": {"Location": onward}}

    home = site(answer)
    request = Request(bearer=SecretStr(TOKEN), headers={"X-Api-Key": SecretStr("k3y")})
    fetch(home.url + "/orders.ndjson", tmp_path, options=request)
    for asked in home.asked:
        assert asked.headers["authorization"] == f"Bearer {TOKEN}"
        assert asked.headers["x-api-key"] == "k3y"
    assert "authorization" not in other.asked[0].headers
    assert "x-api-key" not in other.asked[0].headers
    assert other.asked[0].headers["user-agent"].startswith("prefect-blueprint")


def test_no_secret_is_logged_or_shown(
    site: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    heard: list[str] = []
    answers = iter([{"body": BODY}, {"status": 401}])
    served = site(lambda asked: next(answers))
    request = Request(
        bearer=SecretStr(TOKEN),
        params={"api_key": SecretStr(TOKEN), "plain": TOKEN},
        headers={"X-Key": TOKEN},
    )
    url = f"{served.url.replace('//', f'//ann:{TOKEN}@')}/orders.ndjson?token={TOKEN}&day=1"
    source = fetch(url, tmp_path, lambda text, done=None: heard.append(text), request)
    error = refused(url, tmp_path, request)
    assert served.asked[0].query["api_key"] == TOKEN
    assert "day=1" in source.url and heard
    for shown in (source.url, str(error), repr(error), repr(request), *heard):
        assert TOKEN not in shown
    assert not [line for line in caplog.messages if TOKEN in line]


def test_a_certificate_that_nobody_trusts_is_no_passing_fault(site: Start, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path / "server.pem"))
    served = site(lambda asked: {"body": BODY}, tls=context)
    error = refused(served.url, tmp_path)
    assert "certificate" in str(error) and "not trusted" in str(error)
    assert not error.transient
    assert served.asked == []


def self_signed(path: Path) -> Path:
    """A key and a certificate for 127.0.0.1 that no authority has signed, in one file."""
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path


def test_an_html_page_is_not_taken_for_records(site: Start, tmp_path: Path) -> None:
    page = {"body": b"<!doctype html><title>Sign in</title>"}
    error = refused(site(lambda asked: page | {"headers": {}}).url, tmp_path)
    assert "is HTML or XML" in str(error) and not error.transient


def test_an_empty_body_is_a_source_without_records(site: Start, tmp_path: Path) -> None:
    assert fetch(site(lambda asked: {}).url + "/orders.ndjson", tmp_path).size == 0


def test_nothing_at_all_is_a_passing_fault(site: Start, tmp_path: Path) -> None:
    def nothing(file: BinaryIO) -> None:
        pass

    error = refused(site(lambda asked: {"raw": nothing}).url, tmp_path)
    assert "nothing at all" in str(error) and error.transient


def test_what_is_not_ready_yet_is_asked_for_again(site: Start, tmp_path: Path) -> None:
    error = refused(site(lambda asked: {"status": 202}).url, tmp_path)
    assert "not ready" in str(error) and error.transient


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_asks_to_wait_is_heeded(site: Start, tmp_path: Path, status: int) -> None:
    heard: list[str] = []
    answers = iter([{"status": status, "headers": {"Retry-After": "1"}}, {"body": BODY}])
    served = site(lambda asked: next(answers))
    began = datetime.now(UTC)
    source = fetch(
        served.url + "/orders.ndjson", tmp_path, lambda text, done=None: heard.append(text)
    )
    assert source.size == len(BODY)
    assert datetime.now(UTC) - began >= timedelta(seconds=1)
    assert f"answered {status} and asks to wait 1 s" in heard[0]
    assert [text for text in heard if isinstance(text, Line)] == heard[:1]  # in the log, once


def test_a_wait_may_be_given_as_a_date(site: Start, tmp_path: Path) -> None:
    def answer(asked: Any) -> dict[str, Any]:
        if len(served.asked) > 1:
            return {"body": BODY}
        moment = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
        return {"status": 503, "headers": {"Retry-After": moment}}

    served = site(answer)
    assert fetch(served.url + "/orders.ndjson", tmp_path).size == len(BODY)
    assert len(served.asked) == 2


def test_too_long_a_wait_is_an_error_that_says_so(site: Start, tmp_path: Path) -> None:
    served = site(lambda asked: {"status": 429, "headers": {"Retry-After": "3600"}})
    error = refused(served.url, tmp_path)
    assert "asks to wait 3,600 s" in str(error) and "300 s at most" in str(error)
    assert not error.transient and len(served.asked) == 1


@pytest.mark.parametrize("wait", ["soon", "²", "-1", "1.5", "Mon, 99 Foo 99999 99:99:99 +9999"])
def test_a_wait_that_cannot_be_read_is_left_to_the_retries(
    site: Start, tmp_path: Path, wait: str
) -> None:
    served = site(lambda asked: {"status": 429, "headers": {"Retry-After": wait}})
    assert refused(served.url, tmp_path).transient


def test_the_proxy_variables_are_heeded(
    site: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = site(lambda asked: {"body": BODY})
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", proxy.url)
    assert fetch("http://records.example/orders.ndjson", tmp_path).size == len(BODY)
    assert proxy.asked[0].path == "http://records.example/orders.ndjson"


def test_an_address_that_cannot_be_read_shows_no_part_of_itself(tmp_path: Path) -> None:
    error = refused("http://ann:pa55/word@host", tmp_path)
    assert "percent-encoded" in str(error)
    assert "pa55" not in str(error) and "word" not in str(error).replace("password", "")
