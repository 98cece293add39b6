"""Who loads what, and which ratios are aimed at."""

from __future__ import annotations

from dataclasses import dataclass

from data import BAD


@dataclass(frozen=True)
class Entry:
    """One line of the table: `candidate` (a module of candidates/) loads the file `source`."""

    key: str
    label: str
    candidate: str
    source: str = "orders.ndjson"

    @property
    def ours(self) -> bool:
        return self.candidate == "blueprint"

    @property
    def source_format(self) -> str:
        return self.source.removesuffix(".gz").rpartition(".")[2]


@dataclass(frozen=True)
class Target:
    """`key` shall make at least `ratio` times the rows per second of `base`, in the same run."""

    label: str
    key: str
    base: str
    ratio: float


ENTRIES = (
    Entry("read", "limit: reading the bytes", "read_bytes"),
    Entry("parse", "limit: parsing only (orjson)", "parse"),
    Entry("duckdb", "limit: DuckDB's own load, unchecked", "duckdb_load"),
    Entry("blueprint", "**this pipeline**", "blueprint"),
    Entry("blueprint-bad", "**this pipeline**, 1 % bad rows", "blueprint", BAD),
    Entry("dlt-default", "dlt, same contract, default", "dlt_default"),
    Entry("dlt-tuned", "dlt, same contract, tuned", "dlt_tuned"),
    Entry("dlt-arrow", "dlt fed Arrow: no check, append", "dlt_arrow"),
    Entry("plain", "requests + json + Model(**row) + pandas", "plain"),
    Entry("blueprint-csv", "**this pipeline**, CSV", "blueprint", "orders.csv"),
    Entry("duckdb-csv", "limit: DuckDB's own load, CSV", "duckdb_load", "orders.csv"),
    Entry("blueprint-json", "**this pipeline**, JSON array", "blueprint", "orders.json"),
    Entry("duckdb-json", "limit: DuckDB's own load, JSON array", "duckdb_load", "orders.json"),
    Entry("blueprint-parquet", "**this pipeline**, Parquet", "blueprint", "orders.parquet"),
    Entry("duckdb-parquet", "limit: DuckDB's own load, Parquet", "duckdb_load", "orders.parquet"),
    Entry("blueprint-gzip", "**this pipeline**, gzip", "blueprint", "orders.ndjson.gz"),
    Entry("duckdb-gzip", "limit: DuckDB's own load, gzip", "duckdb_load", "orders.ndjson.gz"),
)
TARGETS = (
    Target("dlt tuned, same contract", "blueprint", "dlt-tuned", 15),
    Target("dlt fed Arrow", "blueprint", "dlt-arrow", 1.1),
    Target("requests + json + Model(**row) + pandas", "blueprint", "plain", 6),
    Target("DuckDB's own unchecked load", "blueprint", "duckdb", 0.3),
    Target("1 % bad rows against clean ones", "blueprint-bad", "blueprint", 0.8),
    Target("CSV against DuckDB's own load", "blueprint-csv", "duckdb-csv", 0.25),
    Target("JSON array against DuckDB's own load", "blueprint-json", "duckdb-json", 0.25),
    Target("Parquet against DuckDB's own load", "blueprint-parquet", "duckdb-parquet", 0.25),
    Target("gzip against DuckDB's own load", "blueprint-gzip", "duckdb-gzip", 0.25),
)
