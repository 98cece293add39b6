"""Which part of a source a run takes, and what it does about one that has shrunk."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import AwareDatetime, BaseModel

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
    return LastLoad(**(facts | changes))


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


def test_an_overlap_in_time_before_a_number_is_the_contracts_fault() -> None:
    with pytest.raises(ContractError, match="timedelta"):
        window_of(KEYED, Mode.INCREMENTAL, last(watermark="41"), None, None)


FAIL, WARN, ACCEPT = (Guard(0.5, then) for then in WhenShrunk)


@pytest.mark.parametrize(("read", "fails"), [(1000, False), (500, False), (499, True), (0, True)])
def test_a_source_that_shrank_too_far_fails(read: int, fails: bool) -> None:
    if fails:
        with pytest.raises(SourceError, match=r"and 1,000 at the last load.*WHEN_SHRUNK"):
            check_size(ready(read), "https://host/x", last(), FAIL)
    else:
        assert check_size(ready(read), "https://host/x", last(), FAIL) is None


def test_an_empty_source_fails_also_the_first_time() -> None:
    with pytest.raises(SourceError, match="0 records"):
        check_size(ready(0), "https://host/x", None, FAIL)


def test_rows_that_the_transform_made_none_of_count_as_an_empty_source() -> None:
    with pytest.raises(SourceError, match="0 records"):
        check_size(ready(1000, count=0), "https://host/x", last(), FAIL)


def test_a_warning_is_given_or_nothing_where_that_was_chosen() -> None:
    assert "0 records" in str(check_size(ready(0), "https://host/x", last(), WARN))
    assert check_size(ready(0), "https://host/x", last(), ACCEPT) is None


def test_only_full_loads_of_the_same_source_are_compared() -> None:
    assert check_size(ready(1), "https://host/other", last(), FAIL) is None
    assert check_size(ready(1), "https://host/x", last(mode=Mode.INCREMENTAL), FAIL) is None
