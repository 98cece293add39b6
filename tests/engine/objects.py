"""What the tests of object stores share: a fetch that fails, one that is stopped, and no credentials."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ingest.errors import SourceError
from ingest.sources.objects import download
from ingest.sources.request import Request

BIG = bytes(range(256)) * 4 * 1024 * 12  # 12 MiB: three blocks
CLOSED = "http://127.0.0.1:9"


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


def refused(url: str, folder: Path, request: Request | None = None) -> SourceError:
    with pytest.raises(SourceError) as caught:
        download(url, folder, request=request)
    shown = caught.value.__suppress_context__ or caught.value.__context__ is None
    assert shown, "what obstore says would be logged below the message"
    return caught.value


def stop_at_first_block(_: str) -> None:
    raise Stopped
