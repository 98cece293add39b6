"""The bundled sample, whatever contract.py says by now. Delete this file with the sample."""

from datetime import date
from pathlib import Path

import pytest
from pydantic import AwareDatetime, BaseModel, Field

from ingest.contract import Contract
from ingest.gate import judge
from ingest.inference import infer
from ingest.sources import fetch
from ingest.staging import stage
from ingest.steps import Limits, Step
from runtime.project import resolve

SAMPLE = "data/sample_orders.ndjson"


class Order(BaseModel):
    order_id: int
    items: list[dict[str, str | int]] = Field(min_length=1)
    updated_at: AwareDatetime


ORDERS = Contract(Order, ("order_id",), "orders")


def test_a_contract_inferred_from_the_sample_accepts_all_that_are_records(tmp_path: Path) -> None:
    source = fetch(resolve(SAMPLE), tmp_path)
    inferred = infer(source, date(2026, 11, 24), called=SAMPLE)
    assert (inferred.records, inferred.faulty, inferred.table) == (3013, 2, "sample_orders")
    step = Step(500, Limits(0.01), tmp_path / "quarantine", "run-1")
    judged = judge(source, inferred.contract, step, tmp_path)
    assert (judged.read, judged.rejected) == (3015, 2)
    assert stage(judged, inferred.contract, lambda records: records, tmp_path).count == 3013


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_the_flow_loads_the_sample_and_a_second_run_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from data_pipeline import flow as flow_module
    from data_pipeline import load as load_module

    monkeypatch.setattr(flow_module, "CONTRACT", ORDERS)
    monkeypatch.setattr(load_module, "CONTRACT", ORDERS)
    monkeypatch.setattr(flow_module, "transform", lambda records: records)
    monkeypatch.chdir(tmp_path)  # relative paths still start at the project
    options = {"target": str(tmp_path / "w.duckdb"), "quarantine": str(tmp_path / "refused")}
    first = flow_module.data_pipeline(SAMPLE, **options)
    second = flow_module.data_pipeline(SAMPLE, **options)
    assert (first.rows_read, first.rows_rejected, first.rows_duplicate) == (3015, 5, 3)
    assert (first.rows_loaded, first.rows_inserted) == (3007, 3007)
    assert (second.rows_loaded, second.rows_unchanged) == (3007, 3007)
    assert len(list((tmp_path / "refused").iterdir())) == 2
