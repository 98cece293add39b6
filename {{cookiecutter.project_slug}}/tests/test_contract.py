"""The contract and the transform fit together, whatever they say."""

from pathlib import Path

from data_pipeline.contract import CONTRACT
from data_pipeline.transform import transform
from ingest.schema import columns_of
from ingest.staging import stage
from ingest.steps import Judged


def test_every_field_has_a_column() -> None:
    assert columns_of(CONTRACT.record)


def test_the_transform_takes_the_contract_and_returns_the_key(tmp_path: Path) -> None:
    empty = tmp_path / "staged.ndjson"
    empty.touch()
    assert stage(Judged(empty, 0, 0, (), (), None, ""), CONTRACT, transform, tmp_path).count == 0
