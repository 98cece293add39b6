"""A run's parameters are checked before anything runs."""

from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from data_pipeline.config import BatchSize, ExtractConfig, SourceUrl, Target
from runtime.project import ROOT, resolve, resolve_target


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


@pytest.mark.parametrize(
    "target",
    [
        "data/warehouse.duckdb",
        "/srv/lake/",
        "duckdb:///data/w.duckdb",
        "parquet:////srv/lake",
        "postgresql://ann@host/sales",
        "s3://bucket/folder",
    ],
)
def test_a_target_is_a_path_or_a_url(target: str) -> None:
    assert TypeAdapter(Target).validate_python(target) == target


def test_any_other_target_is_refused() -> None:
    for target in ("https://example.com/x", "mysql://host/x", "s3://", ""):
        with pytest.raises(ValidationError, match="is no target"):
            TypeAdapter(Target).validate_python(target)


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


def test_a_relative_target_starts_at_the_project(tmp_path: Path) -> None:
    assert resolve_target("data/w.duckdb") == str(ROOT / "data" / "w.duckdb")
    assert resolve_target("lake/") == str(ROOT / "lake") + "/"
    assert resolve_target("duckdb:///data/w.duckdb") == f"duckdb:///{ROOT / 'data' / 'w.duckdb'}"
    assert resolve_target(f"parquet:///{tmp_path}") == f"parquet:///{tmp_path}"
    assert resolve_target("postgresql://host/db") == "postgresql://host/db"
