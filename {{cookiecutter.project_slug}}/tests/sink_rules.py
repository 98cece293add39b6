"""What every sink keeps to, as tests. Whoever writes a sink runs them on it: docs/TARGETS.md.

A test module that has a fixture `target` (a `Target`) imports them with *.
"""

import itertools
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pydantic import BaseModel

from ingest import duck
from ingest.contract import Contract
from ingest.errors import ContractError, PipelineError, TargetError
from ingest.loading import Load, Loaded, Mode, Ready
from ingest.sinks.base import Sink

KEYED = Contract(BaseModel, ("id",), "things")
UNKEYED = Contract(BaseModel, (), "things")
FULL = Load("run-1", "https://source/things", 2, Mode.FULL)
REPLAY = replace(FULL, run_id="replay-1", mode=Mode.REPLAY, replay_of="run-1", positions=(5,))
TWO = "SELECT * FROM (VALUES (1, 'a'), (2, NULL)) AS t(id, name)"
THREE = "SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (3, 'c')) AS t(id, name)"
_numbers = itertools.count()


@dataclass
class Target:
    """A sink to try, a folder to stage in, and how the rows of `things` are read from it."""

    sink: Sink
    folder: Path
    rows: Callable[[], list[dict[str, Any]]]
    runs: Any = field(default_factory=lambda: itertools.count(1))

    def bring(
        self, select: str, contract: Contract = KEYED, load: Load | None = None, **options: Any
    ) -> Loaded:
        """Load what a SELECT gives; each time as another run, unless a `load` is given."""
        load = load or replace(FULL, run_id=f"run-{next(self.runs)}")
        return self.sink.load(stage(self.folder, select), contract, load, **options)

    def held(self, *names: str) -> list[tuple[Any, ...]]:
        rows = [tuple(row[name] for name in names or ("id", "name")) for row in self.rows()]
        return sorted(rows, key=repr)


def stage(folder: Path, select: str, view: str = "FROM accepted") -> Ready:
    """The staging file that a transform leaves: `rows` is a `view` of what `select` gives."""
    folder = folder / f"work {next(_numbers)}"
    folder.mkdir(parents=True)
    with duckdb.connect(str(folder / "staging.duckdb")) as connection:
        connection.execute(f"CREATE TABLE accepted AS {select}")
        connection.execute(f"CREATE VIEW rows AS {view}")
        count = connection.execute("SELECT count(*) FROM accepted").fetchall()[0][0]
    return Ready(folder / "staging.duckdb", count, 0, count)


def test_the_same_rows_twice_change_nothing(target: Target) -> None:
    assert target.bring(TWO) == Loaded(2, 0, 0)
    before = target.held("id", "name", "_run_id", "_loaded_at")
    assert target.bring(TWO) == Loaded(0, 0, 2)
    assert target.held("id", "name", "_run_id", "_loaded_at") == before
    assert [row[:3] for row in before] == [(1, "a", "run-1"), (2, None, "run-1")]


def test_each_row_says_when_it_was_loaded(target: Target) -> None:
    before = datetime.now(UTC)
    target.bring(TWO)
    moments = [datetime.fromisoformat(str(moment)) for (moment,) in target.held("_loaded_at")]
    assert len(moments) == 2
    assert all(before <= moment <= datetime.now(UTC) for moment in moments)


def test_only_what_differs_is_updated(target: Target) -> None:
    target.bring(TWO)
    assert target.bring(THREE) == Loaded(inserted=1, updated=1, unchanged=1)
    assert target.held("id", "name", "_run_id") == [
        (1, "a", "run-1"),
        (2, "b", "run-2"),
        (3, "c", "run-2"),
    ]


def test_a_run_that_is_loaded_already_changes_nothing(target: Target) -> None:
    target.bring(TWO, UNKEYED, FULL)
    assert target.bring(THREE, UNKEYED, FULL) == Loaded(0, 0, 3)
    assert target.held() == [(1, "a"), (2, None)]


def test_an_empty_table_takes_rows_as_a_new_one_does(target: Target) -> None:
    target.bring(f"{TWO} LIMIT 0")
    assert target.held() == []
    assert target.bring(TWO) == Loaded(2, 0, 0)
    assert target.held() == [(1, "a"), (2, None)]


def test_a_key_of_several_columns_names_a_row(target: Target) -> None:
    contract = replace(KEYED, key=("id", "day"))
    select = (
        "SELECT id, DATE '2024-01-01' + id::INTEGER % 2 AS day, 'a' AS name FROM range(4) t(id)"
    )
    target.bring(select, contract)
    assert target.bring(select.replace("'a'", "if(id = 3, 'b', 'a')"), contract) == Loaded(0, 1, 3)


def test_nested_values_are_compared_too(target: Target) -> None:
    nested = "SELECT 1 AS id, [{'n': 1, 'm': MAP {'k': 1}}] AS items, '[]'::JSON AS j"
    target.bring(nested)
    assert target.bring(nested).unchanged == 1
    assert target.bring(nested.replace("'k': 1", "'k': 2")).updated == 1


@pytest.mark.parametrize("contract", [KEYED, UNKEYED])
def test_a_new_column_is_added(target: Target, contract: Contract) -> None:
    target.bring(TWO, contract)
    target.bring("SELECT * FROM (VALUES (1, 'a', 7), (9, 'i', 8)) AS t(id, name, more)", contract)
    kept = [(2, None, None)] if contract.key else []
    assert target.held("id", "name", "more") == [(1, "a", 7), *kept, (9, "i", 8)]


@pytest.mark.parametrize("contract", [KEYED, UNKEYED])
def test_a_column_that_comes_no_more_is_refused_with_what_to_do(
    target: Target, contract: Contract
) -> None:
    target.bring(TWO, contract)
    with pytest.raises(TargetError, match="the column 'name'.*optional field.*load it anew"):
        target.bring("SELECT 1 AS id, 7 AS more", contract)
    assert target.held() == [(1, "a"), (2, None)]
    assert set(target.rows()[0]) == {"id", "name", "_run_id", "_loaded_at"}


@pytest.mark.parametrize("contract", [KEYED, UNKEYED])
def test_where_no_rows_come_no_column_changes(target: Target, contract: Contract) -> None:
    target.bring(TWO, contract)
    nothing = "SELECT 1 AS id, 7 AS more WHERE false"
    assert target.bring(nothing, contract, replace(FULL, run_id="none")) == Loaded(0, 0, 0)
    assert target.sink.committed("things", "none")
    assert target.held() == ([(1, "a"), (2, None)] if contract.key else [])
    target.bring(THREE, contract)
    assert set(target.rows()[0]) == {"id", "name", "_run_id", "_loaded_at"}


class Priced(BaseModel):
    id: int
    price: int
    note: str | None


@pytest.mark.parametrize("contract", [KEYED, UNKEYED])
def test_a_new_column_that_is_never_null_is_refused_where_rows_would_lack_it(
    target: Target, contract: Contract
) -> None:
    priced = replace(contract, record=Priced)
    target.bring("SELECT 1 AS id UNION ALL SELECT 2", contract)
    some = "SELECT 2 AS id, 20 AS price, NULL::VARCHAR AS note"
    if contract.key:
        with pytest.raises(TargetError, match="'price' is a new column.* 1 rows .*load it anew"):
            target.bring(some, priced)
        assert set(target.rows()[0]) == {"id", "_run_id", "_loaded_at"}
    target.bring(f"{some} UNION ALL SELECT 1, 10, 'n'", priced)
    assert target.held("id", "price", "note") == [(1, 10, "n"), (2, 20, None)]


def test_a_new_column_in_which_rows_come_with_null_is_added(target: Target) -> None:
    priced = replace(KEYED, record=Priced)
    target.bring("SELECT 1 AS id UNION ALL SELECT 2", priced)
    target.bring("SELECT 1 AS id, NULL::INTEGER AS price UNION ALL SELECT 2, 20", priced)
    assert target.held("id", "price") == [(1, None), (2, 20)]


@pytest.mark.parametrize("contract", [KEYED, UNKEYED])
def test_a_changed_type_is_refused_with_what_to_do(target: Target, contract: Contract) -> None:
    target.bring(TWO, contract)
    with pytest.raises(TargetError, match="'name' of the table things.*Cast it.*load it anew"):
        target.bring("SELECT 1 AS id, 5 AS name, 1 AS extra", contract)
    assert target.held() == [(1, "a"), (2, None)]
    assert set(target.rows()[0]) == {"id", "name", "_run_id", "_loaded_at"}


def test_without_a_key_the_rows_are_replaced_duplicates_and_all(target: Target) -> None:
    target.bring(THREE, UNKEYED)
    twice = "SELECT 7 AS id, 'x' AS name FROM range(2)"
    assert target.bring(twice, UNKEYED) == Loaded(2, 0, 0)
    assert target.held() == [(7, "x"), (7, "x")]


def test_another_key_is_taken_where_each_row_has_it_once(target: Target) -> None:
    target.bring(THREE, UNKEYED)
    assert target.bring(f"{THREE} WHERE id > 1") == Loaded(0, 0, 2)
    by_name = replace(KEYED, key=("name",))
    assert target.bring("SELECT 4 AS id, 'c' AS name", by_name) == Loaded(0, 1, 0)
    assert target.held() == [(1, "a"), (2, "b"), (4, "c")]
    doubled = "SELECT 7 AS id, NULL::VARCHAR AS name FROM range(2)"
    assert target.bring(doubled, UNKEYED) == Loaded(2, 0, 0)


@pytest.mark.parametrize("held", ["SELECT 1 AS id, 'a' AS name FROM range(2)", TWO])
def test_a_key_that_the_rows_there_do_not_have_once_each_is_refused(
    target: Target, held: str
) -> None:
    target.bring(held, UNKEYED)
    before = target.held("id", "name", "_run_id")
    with pytest.raises(TargetError, match="not loaded by the KEY name.*drop the table"):
        target.bring(THREE, replace(KEYED, key=("name",)))
    assert target.held("id", "name", "_run_id") == before


@pytest.mark.parametrize("mode", [Mode.INCREMENTAL, Mode.BACKFILL])
def test_a_part_of_the_source_needs_a_key(target: Target, mode: Mode) -> None:
    with pytest.raises(ContractError, match=f"mode {mode} .*Set KEY"):
        target.bring(TWO, UNKEYED, replace(FULL, mode=mode))
    target.bring(TWO)
    assert target.bring(THREE, load=replace(FULL, run_id="part", mode=mode)) == Loaded(1, 1, 1)


def test_another_source_replaces_no_rows_unless_that_is_said(target: Target) -> None:
    target.bring(TWO, UNKEYED, FULL)
    other = replace(FULL, run_id="run-2", source_url="https://source/other")
    with pytest.raises(TargetError, match="loaded from https://source/things.*accept_other_source"):
        target.bring(THREE, UNKEYED, other)
    assert target.held() == [(1, "a"), (2, None)]
    target.bring(THREE, UNKEYED, replace(other, accept_other_source=True))
    assert len(target.held()) == 3
    replay = replace(REPLAY, replay_of="run-2", source_url="refused by run-2")
    target.bring("SELECT 4 AS id, 'r' AS name", UNKEYED, replay)
    target.bring(TWO, UNKEYED, replace(other, run_id="run-3"))
    assert len(target.held()) == 2


def test_the_last_load_is_told_with_the_greatest_watermark(target: Target) -> None:
    assert target.sink.last_load("things") is None
    target.bring(TWO, load=replace(FULL, read=5, watermark="2024-03-01T00:00:00+00:00"))
    before = datetime.now(UTC)
    older = replace(
        FULL, run_id="run-2", mode=Mode.BACKFILL, watermark="2024-02-29T23:59:59.5+00:00", read=9
    )
    target.bring(THREE, load=older)
    last = target.sink.last_load("things")
    assert last is not None and last.loaded_at >= before and last.full is not None
    assert replace(last, loaded_at=before).__dict__ == {
        "run_id": "run-2",
        "source_url": "https://source/things",
        "read": 9,
        "rows": 3,
        "watermark": "2024-03-01T00:00:00+00:00",
        "loaded_at": before,
        "mode": Mode.BACKFILL,
        "full": replace(last.full, run_id="run-1", read=5, rows=2, mode=Mode.FULL),
    }
    assert target.sink.committed("things", "run-1")
    assert not target.sink.committed("things", "run-9")
    assert not target.sink.committed("other", "run-1")


@pytest.mark.parametrize(
    ("marks", "greatest"),
    [
        (("9.5", "100.5", "10.5"), "100.5"),
        (("7", "nan"), "7"),
        (("nan", "7"), "7"),
        (("2026-01-01T10:00:00+05:00", "2026-01-01T09:00:00+00:00"), "2026-01-01T09:00:00+00:00"),
    ],
)
def test_watermarks_are_compared_by_what_they_mean(
    target: Target, marks: tuple[str, ...], greatest: str
) -> None:
    for number, mark in enumerate(marks):
        target.bring(TWO, load=replace(FULL, run_id=f"run-{number}", watermark=mark))
    last = target.sink.last_load("things")
    assert last is not None and last.watermark == greatest


def test_a_backfill_of_a_later_range_leaves_the_watermark(target: Target) -> None:
    target.bring(TWO, load=replace(FULL, watermark="2024-03-01T00:00:00+00:00"))
    later = replace(FULL, run_id="run-2", mode=Mode.BACKFILL, watermark="2024-09-01T00:00:00+00:00")
    target.bring(THREE, load=later)
    last = target.sink.last_load("things")
    assert last is not None and last.watermark == "2024-03-01T00:00:00+00:00"


def test_a_failed_load_leaves_neither_rows_nor_a_note(target: Target) -> None:
    target.bring(TWO)
    late = "SELECT id, if(id = 99999, error('late'), 'x') AS name FROM accepted"
    ready = stage(target.folder, "SELECT id::INTEGER AS id FROM range(100000) t(id)", late)
    for contract in (KEYED, UNKEYED):
        with pytest.raises(PipelineError, match="ha(s|ve) (not )?changed"):
            target.sink.load(ready, contract, replace(FULL, run_id="bad"))
    assert not target.sink.committed("things", "bad")
    assert target.held() == [(1, "a"), (2, None)]


@pytest.mark.parametrize("contract", [KEYED, UNKEYED])
def test_a_load_that_cannot_be_noted_leaves_no_rows(target: Target, contract: Contract) -> None:
    target.bring(TWO, contract)
    # More than the numbers of most databases hold; a sink that notes it has to have the rows.
    with suppress(TargetError):
        target.bring(THREE, contract, replace(FULL, run_id="vast", read=2**70))
    noted = target.sink.committed("things", "vast")
    assert target.held() == [(1, "a"), *([(2, "b"), (3, "c")] if noted else [(2, None)])]


def test_a_replay_replaces_only_rows_that_are_older_by_the_watermark(target: Target) -> None:
    columns = "AS t(id, name, seen)"
    target.bring(
        f"SELECT * FROM (VALUES (1, 'a', 7), (2, 'b', 7), (3, 'c', 7)) {columns}", load=FULL
    )
    # What a later run brought unchanged still bears the name of the run before.
    target.bring(
        f"SELECT * FROM (VALUES (3, 'c', 7)) {columns}", load=replace(FULL, run_id="run-2")
    )
    replayed = (
        f"SELECT * FROM (VALUES (1, 'r', 8), (2, 'r', 6), (3, 'r', 7), (4, 'r', 1)) {columns}"
    )
    assert target.bring(replayed, load=replace(REPLAY, newer_by="seen")) == Loaded(1, 1, 2)
    assert target.held() == [(1, "r"), (2, "b"), (3, "c"), (4, "r")]
    assert target.sink.replayed("things", "run-1") == {5}


def test_a_replay_without_a_watermark_only_inserts(target: Target) -> None:
    target.bring(TWO, load=FULL)
    assert target.bring(THREE, load=REPLAY) == Loaded(1, 0, 2)
    assert target.held() == [(1, "a"), (2, None), (3, "c")]


def test_a_row_without_a_watermark_is_not_replaced_by_a_replay(target: Target) -> None:
    target.bring(TWO, load=FULL)
    newer = "SELECT * FROM (VALUES (1, 'r', 8), (2, 'r', NULL)) AS t(id, name, seen)"
    assert target.bring(newer, load=replace(REPLAY, newer_by="seen")) == Loaded(0, 0, 2)


@pytest.mark.parametrize("contract", [KEYED, UNKEYED])
def test_no_record_is_replayed_twice(target: Target, contract: Contract) -> None:
    target.bring(TWO, contract, FULL)
    target.bring("SELECT 3 AS id, 'r' AS name", contract, REPLAY)
    again = replace(REPLAY, run_id="replay-2", positions=(4, 5))
    with pytest.raises(TargetError, match="position 5"):
        target.bring("SELECT 4 AS id, 'r' AS name", contract, again)
    assert target.held() == [(1, "a"), (2, None), (3, "r")]


def test_without_a_key_only_the_latest_run_is_replayed(target: Target) -> None:
    target.bring(TWO, UNKEYED, FULL)
    assert target.bring("SELECT 1 AS id, 'a' AS name", UNKEYED, REPLAY) == Loaded(1, 0, 0)
    second = replace(REPLAY, run_id="replay-2", positions=(6,))
    target.bring("SELECT 1 AS id, 'a' AS name", UNKEYED, second)
    assert target.held() == [(1, "a"), (1, "a"), (1, "a"), (2, None)]
    target.bring(TWO, UNKEYED, replace(FULL, run_id="run-2"))
    third = replace(REPLAY, run_id="replay-3", positions=(7,))
    with pytest.raises(TargetError, match="run-2 has replaced the rows"):
        target.bring("SELECT 1 AS id, 'a' AS name", UNKEYED, third)


def test_a_run_that_was_never_loaded_is_not_replayed(target: Target) -> None:
    target.bring(TWO)
    with pytest.raises(TargetError, match="'run-9' cannot be replayed"):
        target.bring(TWO, load=replace(REPLAY, replay_of="run-9"))


def test_rows_too_wide_for_the_usual_memory_are_loaded_with_more(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duck, "PASSING", "20MB")
    wide = "SELECT id, repeat(chr((97 + id % 26)::INTEGER), 1000000) || id AS name FROM range(60) AS t(id)"
    assert target.bring(wide) == Loaded(60, 0, 0)
    changed = f"SELECT id, IF(id = 7, 'seven', name) AS name FROM ({wide})"
    assert target.bring(changed) == Loaded(inserted=0, updated=1, unchanged=59)
