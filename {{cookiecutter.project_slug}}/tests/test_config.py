"""A run's parameters are checked before anything runs."""

from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from data_pipeline.config import BatchSize, ExtractConfig, SourceUrl, TargetPath
from runtime.project import ROOT, resolve


@pytest.mark.parametrize(
    "location",
    [
        "https://example.com/orders.ndjson?page=1",
        "http://localhost:8000",
        "file:///data/orders.csv",
        "s3://bucket/2026/my orders@home.csv",
        "gs://bucket/orders.csv.gz",
        "az://container/orders.csv",
        "data/orders.csv",
        "/srv/data/orders.csv",
        r"C:\data\orders.csv",
        "../Müller's data/a:b.csv",
    ],
)
def test_a_source_is_a_url_or_a_path(location: str) -> None:
    assert TypeAdapter(SourceUrl).validate_python(location) == location


@pytest.mark.parametrize(
    "location",
    [
        "",
        " ",
        "ftp://example.com/x",
        "mailto:ann@example.com",
        "https://",
        "a/b://c",
        "s3://bucket",
        "gs://bucket/folder/",
        "az://container/../x",
        "s3://key:secret@bucket/x.csv",
        "az://container/x.csv?sig=secret",
    ],
)
def test_anything_else_is_refused(location: str) -> None:
    with pytest.raises(ValidationError, match="is no source: write an http"):
        TypeAdapter(SourceUrl).validate_python(location)


def test_a_target_is_a_path() -> None:
    TypeAdapter(TargetPath).validate_python("data/warehouse.duckdb")
    with pytest.raises(ValidationError, match="is no path"):
        TypeAdapter(TargetPath).validate_python("https://example.com/x")


def test_the_batch_size_has_bounds() -> None:
    for size in (0, -1, 10**9):
        with pytest.raises(ValidationError):
            TypeAdapter(BatchSize).validate_python(size)


def test_the_configuration_is_frozen_and_knows_its_fields() -> None:
    config = ExtractConfig(source_url="data/x.csv")
    with pytest.raises(ValidationError, match="frozen"):
        config.batch_size = 1  # pyrefly: ignore
    with pytest.raises(ValidationError, match="not permitted"):
        ExtractConfig.model_validate({"source_url": "x", "batchsize": 1})


def test_a_relative_path_starts_at_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve("data/x.csv") == str(ROOT / "data" / "x.csv")
    assert resolve(str(tmp_path)) == str(tmp_path)
    for url in ("https://example.com/x", "file:///x", "s3://b/x", "gs://b/x", "az://c/x"):
        assert resolve(url) == url
    assert (ROOT / "pyproject.toml").is_file()
