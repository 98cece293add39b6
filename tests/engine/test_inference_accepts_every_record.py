"""Whatever the records are: the inferred contract accepts them, and the gate lands them all."""

from __future__ import annotations

import csv
import json
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ingest.gate import judge
from ingest.inference import infer, inferred_from
from ingest.sources import fetch
from ingest.steps import Limits, Step

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
# What looks like a type, and nearly is one.
LOOKS = st.sampled_from(
    [
        "1",
        "-0",
        "007",
        "1.5",
        ".5",
        "5.",
        "1e5",
        "1e-5",
        "1e999",
        "NA",
        "true",
        "False",
        "yes",
        "2024-02-29",
        "2023-02-29",
        "0000-01-01",
        "2024-01-01T00:00",
        "2024-01-01 00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "24:00:00",
        "10:00:00",
        "１",
        "+1",
        " 1",
        "12345678-1234-1234-1234-1234567890ab",
        "9223372036854775808",
        "0.12345678901234567890",
    ]
)
NUMBERS = st.integers() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, width=64)
SCALARS = st.none() | st.booleans() | NUMBERS.filter(lambda n: abs(n) < 1e308) | TEXT | LOOKS
NAMES = TEXT | st.sampled_from(["id", "ID", "class", "date", "Record", "", "_run_id", "model_dump"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
THOROUGH = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)


def accepts_and_lands(path: Path, count: int) -> None:
    source = fetch(str(path), path.parent)
    found = infer(source, date(2026, 11, 24))
    assert (found.records, found.faulty) == (count, 0)
    assert inferred_from(found.text) == str(path)
    step = Step(50, Limits(0.0), path.parent / "quarantine", "run-1")
    judged = judge(source, found.contract, step, path.parent)
    assert (judged.read, judged.rejected) == (count, 0)


@THOROUGH
@given(
    st.lists(st.dictionaries(NAMES, VALUES, max_size=6), min_size=1, max_size=8).filter(
        lambda records: any(records)
    )
)
def test_any_records_of_json(records: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "records.ndjson"
        path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
        accepts_and_lands(path, len(records))


@THOROUGH
@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(
            st.lists(
                LOOKS | TEXT.map(lambda text: text.replace("\0", "")),
                min_size=width,
                max_size=width,
            ),
            min_size=1,
            max_size=8,
        )
    )
)
def test_any_cells_of_csv(rows: list[list[str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "records.csv"
        header = [f"column {place}" for place in range(len(rows[0]))]
        with path.open("w", encoding="utf-8", newline="") as file:
            # The first column keeps a row of empty cells from being an empty line.
            csv.writer(file).writerows([["#", *header], *(["x", *row] for row in rows)])
        accepts_and_lands(path, len(rows))
