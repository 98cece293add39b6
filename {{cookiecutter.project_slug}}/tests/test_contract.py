"""The contract and the transform fit together, whatever they say."""

from pathlib import Path

from data_pipeline.contract import CONTRACT
from data_pipeline.transform import transform
from ingest.formats import Format
from ingest.gate import judge
from ingest.schema import columns_of
from ingest.staging import stage
from ingest.steps import Limits, SourceFile, Step


def test_every_field_has_a_column() -> None:
    assert columns_of(CONTRACT.record)


def test_the_transform_takes_the_contract_and_returns_the_key(tmp_path: Path) -> None:
    empty = tmp_path / "source.ndjson"
    empty.touch()
    source = SourceFile(empty, Format.NDJSON, "the source", 0)
    judged = judge(source, CONTRACT, Step(1, Limits(0.0), tmp_path, "run-1"), tmp_path)
    assert stage(judged, CONTRACT, transform, tmp_path).count == 0
