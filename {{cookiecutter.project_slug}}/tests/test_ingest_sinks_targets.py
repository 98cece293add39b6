"""Which sink a target's URL opens."""

import sys
from pathlib import Path

import pytest

from ingest.errors import TargetError
from ingest.sinks import open_sink


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("duckdb:///data/x.duckdb", "/project/data/x.duckdb"),
        ("duckdb:////srv/any name", "/srv/any name"),
        ("data/x.duckdb", "/project/data/x.duckdb"),
        ("/srv/x.db", "/srv/x.db"),
        ("parquet:///data/lake", "/project/data/lake/"),
        ("parquet:////srv/lake/", "/srv/lake/"),
        ("data/lake/", "/project/data/lake/"),
        ("postgresql://me@host:5433/db", "postgresql://me@host:5433/db"),
        ("postgres://me:s3cret@host/db?sslmode=require", "postgresql://me@host/db"),
        ("postgresql://me@[::1]:5432/db", "postgresql://me@[::1]:5432/db"),
        ("s3://bucket/a/b", "s3://bucket/a/b/"),
        ("s3://bucket/a/b/", "s3://bucket/a/b/"),
        ("gs://bucket", "gs://bucket/"),
        ("az://container/a", "az://container/a/"),
    ],
)
def test_a_target_is_opened_by_its_url(target: str, shown: str) -> None:
    found = open_sink(target, Path("/project")).shown
    assert found.removesuffix("/") == str(Path(shown)) if shown[0] == "/" else found == shown


@pytest.mark.parametrize(
    "target",
    [
        "", "data/orders", "data/orders.parquet", "duckdb://x.duckdb", "duckdb:///", "parquet:///",
        "mysql://me:s3cret@host/db", "s3:///a", "s3://me:s3cret@bucket/a", "s3://bucket/a?s3cret",
        "gs://bucket/../a", "postgresql://me:s3cret@host@other/db",
    ],
)  # fmt: skip
def test_another_target_is_refused_with_the_forms_and_without_a_secret(target: str) -> None:
    with pytest.raises(TargetError, match="target") as refused:
        open_sink(target)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("target", "package", "extra"),
    [("postgresql://host/db", "psycopg", "postgres"), ("s3://bucket", "obstore", "cloud")],
)
def test_a_missing_extra_is_named_with_how_to_get_it(
    target: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(TargetError, match=f'extras = \\["{extra}"\\].*bootstrap.py'):
        open_sink(target).last_load("things")
