"""A source comes to a local file, or the error says why not and whether a retry helps."""

import gzip
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingest import opening
from ingest.cut import cut
from ingest.errors import SourceError
from ingest.formats import Format, Reading
from ingest.gate import judge
from ingest.inference import infer
from ingest.sources import fetch
from ingest.steps import Limits, Step

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Serve = Callable[..., Any]
LINE = b'{"id": 1}\n'


def test_a_local_file_is_read_where_it_lies(tmp_path: Path) -> None:
    path = tmp_path / "orders with space.ndjson"
    path.write_bytes(LINE)
    work = tmp_path / "work"
    work.mkdir()
    assert fetch(str(path), work).path == path
    assert fetch(path.as_uri(), work).path == path
    assert list(work.iterdir()) == []


@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress])
def test_parquet_that_is_packed_is_read_as_any_other(
    serve: Serve, tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    plain, packed, work = tmp_path / "plain", tmp_path / "packed", tmp_path / "work"
    duckdb.sql("SELECT n AS id, n % 2 AS odd FROM range(5) AS t(n)").write_parquet(str(plain))
    packed.write_bytes(pack(plain.read_bytes()))
    work.mkdir()
    for place in (str(packed), serve({"body": packed.read_bytes()}).url):
        source = fetch(place, work, reading=Reading(encoding="latin-1"))
        assert (source.format, source.size) == (Format.PARQUET, plain.stat().st_size)
        found = infer(source, date(2026, 11, 24)).contract
        assert found.key == ("id",)
        step = Step(2, Limits(0.0), tmp_path / "quarantine", "run-1")
        assert judge(source, found, step, work).accepted == 5
        assert cut(source, work / "first", 3).count == 3


def test_parquet_that_is_packed_and_cut_short_or_a_bomb_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    duckdb.sql("SELECT n AS id FROM range(9999) AS t(n)").write_parquet(str(plain))
    packed.write_bytes(gzip.compress(plain.read_bytes())[:-30])
    with pytest.raises(SourceError, match="no whole gzip file"):
        fetch(str(packed), tmp_path)
    monkeypatch.setattr(opening, "_HARMLESS", 1024)
    packed.write_bytes(gzip.compress(b"PAR1" + bytes(2**25) + b"PAR1"))
    with pytest.raises(SourceError, match="zip bomb"):
        fetch(str(packed), tmp_path)


def test_a_missing_file_says_so_and_is_not_transient(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="There is no file .*nowhere.csv") as caught:
        fetch(str(tmp_path / "nowhere.csv"), tmp_path)
    assert not caught.value.transient


def test_a_file_url_with_a_host_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="three slashes"):
        fetch("file://data/orders.ndjson", tmp_path)


def test_a_body_is_fetched_with_a_name_of_our_own(serve: Serve, tmp_path: Path) -> None:
    served = serve({"body": LINE})
    source = fetch(served.url, tmp_path)
    assert source.path.read_bytes() == LINE
    assert source.format is Format.NDJSON
    assert served.requests[0]["user-agent"].startswith("prefect-blueprint")


def test_a_compressed_answer_is_unpacked(serve: Serve, tmp_path: Path) -> None:
    answer = {"body": gzip.compress(LINE * 100), "headers": {"Content-Encoding": "gzip"}}
    assert fetch(serve(answer).url, tmp_path).size == len(LINE) * 100


def test_a_redirect_is_followed(serve: Serve, tmp_path: Path) -> None:
    end = serve({"body": LINE})
    begin = serve({"status": 302, "headers": {"Location": end.url}})
    assert fetch(begin.url, tmp_path).size == len(LINE)


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_momentary_fault_is_transient(serve: Serve, tmp_path: Path, status: int) -> None:
    with pytest.raises(SourceError, match=f"answered {status}") as caught:
        fetch(serve({"status": status}).url, tmp_path)
    assert caught.value.transient


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_lasting_fault_is_not_transient(serve: Serve, tmp_path: Path, status: int) -> None:
    with pytest.raises(SourceError, match=f"answered {status}.*source_url") as caught:
        fetch(serve({"status": status}).url, tmp_path)
    assert not caught.value.transient


def test_a_body_that_is_cut_short_is_transient(serve: Serve, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cut short") as caught:
        fetch(serve({"body": LINE, "promised": 1000}).url, tmp_path)
    assert caught.value.transient


def test_a_server_that_is_not_there_is_transient(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="failed") as caught:
        fetch("http://127.0.0.1:9/orders.ndjson", tmp_path)
    assert caught.value.transient


def test_a_password_in_the_address_is_never_shown(serve: Serve, tmp_path: Path) -> None:
    url = serve({"status": 404}).url.replace("//", "//ann:s3cret@")
    with pytest.raises(SourceError) as caught:
        fetch(url, tmp_path)
    assert "s3cret" not in str(caught.value)
    assert "ann:***@127.0.0.1" in str(caught.value)
