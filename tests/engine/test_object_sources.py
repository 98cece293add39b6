"""Objects of real servers, in the place of S3, Google Cloud Storage and Azure, come to a file.

moto, fake-gcs-server and Azurite answer as the clouds do.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import obstore
import pytest
from ingest.sources.objects import download
from ingest.sources.request import Request

from .emulators import EMULATORS, Emulator
from .objects import BIG, Stopped, nothing_set, refused, stop_at_first_block  # noqa: F401


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
