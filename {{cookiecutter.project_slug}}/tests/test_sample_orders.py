"""The bundled sample goes through the shipped contract. Delete this file with the sample."""

from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from data_pipeline.config import LIMITS
from data_pipeline.contract import CONTRACT
from data_pipeline.transform import transform
from ingest.gate import judge
from ingest.sources import fetch
from ingest.staging import stage
from ingest.steps import Step
from runtime.project import resolve

pytestmark = pytest.mark.skipif(
    CONTRACT.table != "orders", reason="the contract is no longer that of the sample"
)
SAMPLE = "data/sample_orders.ndjson"


def test_the_sample_has_3000_orders_12_bad_records_and_3_corrections(tmp_path: Path) -> None:
    step = Step(500, LIMITS, tmp_path / "quarantine", "run-1")
    judged = judge(fetch(resolve(SAMPLE), tmp_path), CONTRACT, step, tmp_path)
    ready = stage(judged, CONTRACT, transform, tmp_path)
    assert (judged.read, judged.rejected) == (3015, 12)
    assert (ready.count, ready.duplicates) == (3000, 3)
    with duckdb.connect(str(ready.staging), read_only=True) as connection:
        wrong = "FROM rows WHERE customer.email != lower(customer.email)"
        assert connection.execute(wrong).fetchall() == []
        total = "SELECT items_total, order_total FROM rows WHERE order_id = 100001"
        assert connection.execute(total).fetchall() == [(Decimal("239.09"), Decimal("290.54"))]


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_the_flow_loads_the_sample_and_a_second_run_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from data_pipeline.flow import data_pipeline

    monkeypatch.chdir(tmp_path)  # relative paths still start at the project
    options = {"target": str(tmp_path / "w.duckdb"), "quarantine": str(tmp_path / "refused")}
    first = data_pipeline(SAMPLE, **options)
    assert (first.rows_read, first.rows_rejected, first.rows_duplicate) == (3015, 12, 3)
    assert (first.rows_loaded, first.rows_inserted) == (3000, 3000)
    second = data_pipeline(SAMPLE, **options)
    assert (second.rows_loaded, second.rows_unchanged) == (3000, 3000)
    assert first.quarantine_file and second.quarantine_file
    assert len(list((tmp_path / "refused").iterdir())) == 2
