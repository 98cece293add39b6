"""What is shipped to be edited: for the sample, known as nobody's edit, and of one mind."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path

import duckdb
from blueprint import inferring
from blueprint.pipelines import copies
from blueprint.pipelines.which import FIRST, PARTS, path_of
from data_pipeline.config import EXTRACT_TIMEOUT, LIMITS
from data_pipeline.contract import CONTRACT
from data_pipeline.transform import transform
from ingest.gate import judge
from ingest.sources import Request, fetch
from ingest.staging import stage
from ingest.steps import Step

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
from shipped import COPIES as SHIPPED  # noqa: E402
from shipped import render  # noqa: E402


def test_what_is_shipped_is_known_as_shipped() -> None:
    """After an edit of src/data_pipeline: make shipped."""
    for name in ("contract", "transform"):
        assert copies.is_shipped(name, path_of(FIRST, name).read_text("utf-8"), FIRST)
    made = render()
    for file, text in made.items():
        assert copies.shipped(file.removesuffix(".py.txt")) == text, "make shipped"
    # The test of a flow has no original. What else is there, a new pipeline is made of.
    there = {path.name for path in SHIPPED.iterdir()}
    assert there == made.keys() | {"test_flow.py.txt"}
    modules = {name.removesuffix(".py.txt") for name in there if not name.startswith("test_")}
    assert modules == {"__init__", *PARTS}


def test_the_sample_has_3000_orders_12_bad_records_and_3_corrections(tmp_path: Path) -> None:
    step = Step(500, LIMITS, tmp_path / "quarantine", "run-1")
    sample = inferring.ROOT / inferring.SAMPLE
    judged = judge(fetch(str(sample), tmp_path), CONTRACT, step, tmp_path)
    ready = stage(judged, CONTRACT, transform, tmp_path)
    assert (judged.read, judged.rejected) == (3015, 12)
    assert judged.way == "the gate for 99.6%, Pydantic for 12 records"
    assert (ready.count, ready.duplicates) == (3000, 3)
    with duckdb.connect(str(ready.staging), read_only=True) as connection:
        wrong = "FROM rows WHERE customer.email != lower(customer.email)"
        assert connection.execute(wrong).fetchall() == []
        total = "SELECT items_total, order_total FROM rows WHERE order_id = 100001"
        assert connection.execute(total).fetchall() == [(Decimal("239.09"), Decimal("290.54"))]


def test_a_source_has_as_much_time_as_the_task_that_fetches_it() -> None:
    assert Request().total == EXTRACT_TIMEOUT
