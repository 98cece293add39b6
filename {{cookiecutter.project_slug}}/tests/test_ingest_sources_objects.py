"""What is said of an object store before it is asked. The rest is tested against emulators."""

import sys
from pathlib import Path

import pytest

from ingest.errors import SourceError
from ingest.sources.objects import download


def test_without_the_extra_the_error_says_how_to_add_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(SourceError, match=r'extras = \["cloud"\].*bootstrap.py') as caught:
        download("s3://bucket/orders.csv", tmp_path)
    assert not caught.value.transient


@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket",
        "gs://bucket/",
        "az:///key",
        "s3://bucket/folder/",
        "s3://bucket/a//b",
        "s3://bucket/../b",
        "s3://key:s3cret@bucket/x.csv",
        "az://container/x.csv?sig=s3cret",
        "gs://bucket/x.csv#s3cret",
    ],
)
def test_an_address_that_names_no_object_is_refused_and_not_repeated(
    url: str, tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match="write (s3|gs|az)://bucket/key") as caught:
        download(url, tmp_path)
    assert not caught.value.transient and "s3cret" not in str(caught.value)
