"""Which part of a source a run takes, and what it does about one that has shrunk."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import AwareDatetime, BaseModel, Field, create_model

from ingest.contract import Contract
from ingest.errors import ContractError, SourceError
from ingest.loading import LastLoad, Mode, Ready
from ingest.planning import Guard, WhenShrunk, check_size, moment, window_of
from ingest.steps import Window


class Record(BaseModel):
    id: int
    at: AwareDatetime


KEYED = Contract(Record, ("id",), "things", watermark="at", overlap=timedelta(hours=2))
MAY = datetime(2026, 5, 1, tzinfo=UTC)
JUNE = datetime(2026, 6, 1, tzinfo=UTC)


def last(**changes: Any) -> LastLoad:
    facts: dict[str, Any] = {
        "run_id": "run-1",
        "source_url": "https://host/x",
        "read": 1000,
        "rows": 1000,
        "watermark": "2026-05-01T01:00:00+00:00",
        "loaded_at": MAY,
    }
    found = LastLoad(**(facts | changes))
    return replace(found, full=found)


def ready(read: int, count: int | None = None) -> Ready:
    return Ready(Path("staging"), read if count is None else count, 0, read)


def test_a_full_run_takes_everything() -> None:
    assert window_of(KEYED, Mode.FULL, last(), None, None) == Window()


def test_an_incremental_run_begins_an_overlap_before_the_last_watermark() -> None:
    found = window_of(KEYED, Mode.INCREMENTAL, last(), None, None)
    assert found == Window(since="2026-04-30T23:00:00+00:00")
    assert moment(found.since) == datetime(2026, 4, 30, 23, tzinfo=UTC)


def test_a_first_incremental_run_takes_everything() -> None:
    assert window_of(KEYED, Mode.INCREMENTAL, None, None, None) == Window()
    assert window_of(KEYED, Mode.INCREMENTAL, last(watermark=None), None, None) == Window()


def test_a_backfill_takes_its_range() -> None:
    found = window_of(KEYED, Mode.BACKFILL, last(), MAY, JUNE.replace(tzinfo=None))
    assert found == Window("2026-05-01T00:00:00+00:00", "2026-06-01T00:00:00+00:00")


@pytest.mark.parametrize("mode", [Mode.INCREMENTAL, Mode.BACKFILL])
@pytest.mark.parametrize(
    ("contract", "says"),
    [
        (Contract(Record, (), "things", watermark="at"), "without a KEY"),
        (Contract(Record, ("id",), "things"), "watermark="),
    ],
)
def test_a_part_needs_a_key_and_a_watermark(contract: Contract, mode: Mode, says: str) -> None:
    with pytest.raises(ContractError, match=says):
        window_of(contract, mode, None, MAY, JUNE)


@pytest.mark.parametrize(
    ("mode", "since", "until"),
    [
        (Mode.BACKFILL, None, JUNE),
        (Mode.BACKFILL, JUNE, MAY),
        (Mode.BACKFILL, MAY, MAY),
        (Mode.INCREMENTAL, MAY, None),
        (Mode.FULL, MAY, JUNE),
    ],
)
def test_bounds_that_the_mode_does_not_take_are_refused(
    mode: Mode, since: datetime | None, until: datetime | None
) -> None:
    with pytest.raises(ContractError):
        window_of(KEYED, mode, last(), since, until)


def test_an_overlap_behind_the_first_year_takes_everything() -> None:
    early = last(watermark="0001-01-01T01:00:00+00:00")
    assert window_of(KEYED, Mode.INCREMENTAL, early, None, None) == Window()


def by(kind: Any, overlap: timedelta = timedelta(0)) -> Contract:
    return Contract(
        create_model("Record", id=(int, ...), at=(kind, ...)), ("id",), "t", "at", overlap
    )


@pytest.mark.parametrize(
    ("contract", "mode", "says"),
    [
        (by(str), Mode.INCREMENTAL, "at, is VARCHAR: as text.*type datetime"),
        (by(str), Mode.BACKFILL, "at, is VARCHAR: as text"),
        (by(bool), Mode.INCREMENTAL, "BOOLEAN"),
        (by(int, timedelta(1)), Mode.INCREMENTAL, r"is a number \(BIGINT\).*timedelta\(0\)"),
        (by(Annotated[Decimal, Field(decimal_places=2)]), Mode.BACKFILL, r"is a number \(DECIMAL"),
        (Contract(Record, ("id",), "t", "it"), Mode.INCREMENTAL, "'it', is no column.*: id, at"),
        (KEYED, Mode.INCREMENTAL, "'41', is no time.*mode=full once"),
    ],
)
def test_a_watermark_that_tells_of_no_record_whether_it_is_newer_is_refused(
    contract: Contract, mode: Mode, says: str
) -> None:
    bounds = (MAY, JUNE) if mode is Mode.BACKFILL else (None, None)
    with pytest.raises(ContractError, match=says):
        window_of(contract, mode, last(watermark="41"), *bounds)


def test_a_number_is_a_watermark_without_an_overlap() -> None:
    found = window_of(by(int), Mode.INCREMENTAL, last(watermark="41"), None, None)
    assert found == Window(since="41")


FAIL, WARN, ACCEPT = (Guard(0.5, then) for then in WhenShrunk)


@pytest.mark.parametrize(("read", "fails"), [(1000, False), (500, False), (499, True), (0, True)])
def test_a_source_that_shrank_too_far_fails(read: int, fails: bool) -> None:
    if fails:
        with pytest.raises(SourceError, match=r"and 1,000 at the last full load.*WHEN_SHRUNK"):
            check_size(ready(read), "https://host/x", last(), FAIL)
    else:
        assert check_size(ready(read), "https://host/x", last(), FAIL) is None


def test_an_empty_source_fails_also_the_first_time() -> None:
    with pytest.raises(SourceError, match="0 records"):
        check_size(ready(0), "https://host/x", None, FAIL)


def test_rows_that_the_transform_made_none_of_count_as_an_empty_source() -> None:
    with pytest.raises(SourceError, match=r"brought 1,000 records, of which no row is left: all"):
        check_size(ready(1000, count=0), "https://host/x", last(), FAIL)


def test_a_warning_is_given_or_nothing_where_that_was_chosen() -> None:
    assert "0 records" in str(check_size(ready(0), "https://host/x", last(), WARN))
    assert check_size(ready(0), "https://host/x", last(), ACCEPT) is None


def test_only_full_loads_of_the_same_source_are_compared() -> None:
    assert check_size(ready(1), "https://host/other", last(), FAIL) is None
    part = replace(last(mode=Mode.INCREMENTAL, read=1), full=None)
    assert check_size(ready(1), "https://host/x", part, FAIL) is None
    with pytest.raises(SourceError, match="and 1,000 at the last full load"):
        check_size(ready(1), "https://host/x", replace(part, full=last()), FAIL)
