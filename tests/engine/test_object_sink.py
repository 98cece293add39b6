"""The Parquet sink on an object store, against a real S3 server."""

from __future__ import annotations

import io
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import obstore
import pytest
from ingest.errors import TargetError
from ingest.sinks import objects, open_sink
from moto.server import ThreadedMotoServer
from obstore.store import S3Store
from sink_rules import *  # noqa: F403
from sink_rules import FULL, KEYED, THREE, TWO, Target, stage


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> S3Store:
    """An empty bucket, and an environment that leads to it."""
    for how, path in (("POST", "/moto-api/reset"), ("PUT", "/bucket")):
        with urllib.request.urlopen(urllib.request.Request(endpoint + path, b"", method=how)):
            pass
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAKNOWN")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    return S3Store("bucket", client_options={"allow_http": True})


def read(store: Any, folder: Path, prefix: str = "some/folder") -> list[dict[str, Any]]:
    path = folder / "read.parquet"
    path.write_bytes(bytes(obstore.get(store, f"{prefix}/things.parquet").bytes()))
    with duckdb.connect() as connection:
        found = connection.execute("FROM read_parquet(?)", [str(path)])
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


@pytest.fixture
def target(bucket: S3Store, tmp_path: Path) -> Target:
    return Target(open_sink("s3://bucket/some/folder"), tmp_path, lambda: read(bucket, tmp_path))


def test_of_loads_at_the_same_time_none_is_lost(target: Target) -> None:
    def bring(number: int) -> None:
        target.bring(f"SELECT {number} AS id, 'x' AS name")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(bring, range(8)))
    assert target.held() == [(number, "x") for number in range(8)]


def test_a_large_file_goes_in_parts(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "_ONE_PUT", 1)
    target.bring(TWO)
    target.bring(THREE)
    assert target.held() == [(1, "a"), (2, "b"), (3, "c")]


def test_a_long_footer_is_read_whole(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "_TAIL", 16)
    target.bring(TWO, load=FULL)
    assert target.sink.committed("things", "run-1")


def test_an_object_of_somebody_else_is_not_touched(bucket: S3Store, target: Target) -> None:
    theirs = target.folder / "theirs.parquet"
    duckdb.sql("SELECT 1 AS id, 'x' AS name").write_parquet(str(theirs))
    obstore.put(bucket, "some/folder/things.parquet", io.BytesIO(theirs.read_bytes()))
    with pytest.raises(TargetError, match="not made by this pipeline"):
        target.bring(TWO)
    assert target.held() == [(1, "x")]


def test_a_refusal_says_what_to_set_and_no_secret(
    bucket: S3Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TargetError, match="s3://missing/.*AWS_ACCESS_KEY_ID") as refused:
        open_sink("s3://missing").load(stage(tmp_path, TWO), KEYED, FULL)
    assert "s3cret" not in str(refused.value) and "AKIAKNOWN" not in str(refused.value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(TargetError, match="endpoint"):
        open_sink("s3://bucket").last_load("things")


def test_a_folder_of_its_own_is_no_must(bucket: S3Store, tmp_path: Path) -> None:
    sink = open_sink("s3://bucket")
    sink.load(stage(tmp_path, TWO), KEYED, replace(FULL, run_id="run-7"))
    assert bytes(obstore.get(bucket, "things.parquet").bytes())[:4] == b"PAR1"
    assert sink.committed("things", "run-7")
