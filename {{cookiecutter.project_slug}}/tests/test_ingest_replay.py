"""Refused records are judged again once the contract is mended, and loaded once."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import duckdb
import pytest
from pydantic import BaseModel, Field

from ingest.contract import Contract
from ingest.errors import ContractError, SourceError, TargetError, TooManyRejected
from ingest.gate import judge
from ingest.loading import Load
from ingest.refused_files import quarantine_files
from ingest.replay import Replayed, replay
from ingest.sinks import open_sink
from ingest.sources import fetch
from ingest.staging import stage
from ingest.steps import Limits, Step


class Strict(BaseModel):
    id: int
    size: Annotated[int, Field(le=10)]
    seen: int = 0


class Mended(BaseModel):
    id: int
    size: int
    seen: int = 0


STRICT = Contract(Strict, ("id",), "things", watermark="seen")
MENDED = replace(STRICT, record=Mended)
ANY = Limits(1.0)


def as_is(records: Any) -> Any:
    return records


class Killed(Exception):
    """Stands for kill -9: whoever runs does not run on."""


@dataclass
class Bench:
    """A target, a quarantine, and what a run and a replay do to them."""

    folder: Path
    made: int = 0

    def __post_init__(self) -> None:
        self.sink = open_sink(str(self.folder / "t.duckdb"))
        self.quarantine = self.folder / "quarantine"

    def work(self) -> Path:
        self.made += 1
        folder = self.folder / f"work-{self.made}"
        folder.mkdir()
        return folder

    def run(
        self,
        run_id: str,
        *records: Any,
        contract: Contract = STRICT,
        limits: Limits = ANY,
        name: str = "things.ndjson",
    ) -> None:
        """A run over `records`: dicts, or the bytes of the whole source."""
        work = self.work()
        body = b"".join(
            one if isinstance(one, bytes) else json.dumps(one).encode() + b"\n" for one in records
        )
        (work / name).write_bytes(body)
        source = fetch(str(work / name), work)
        judged = judge(source, contract, Step(100, limits, self.quarantine, run_id), work)
        ready = stage(judged, contract, as_is, work)
        told = Load(run_id, "the source", judged.read, watermark=ready.watermark)
        self.sink.load(ready, contract, told)

    def replay(self, contract: Contract = MENDED, **more: Any) -> list[Replayed]:
        return [
            replay(path, self.sink, contract, as_is, self.work(), **more)
            for path in quarantine_files(self.quarantine)
        ]

    def rows(self) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.folder / "t.duckdb"), read_only=True) as connection:
            return connection.execute("SELECT id, size FROM things ORDER BY ALL").fetchall()

    def held(self) -> list[dict[str, Any]]:
        """All entries of the quarantine."""
        files = sorted(self.quarantine.iterdir())
        return [json.loads(line) for path in files for line in path.open("rb")]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def thing(number: int, size: Any = 1, seen: int = 0) -> dict[str, Any]:
    return {"id": number, "size": size, "seen": seen}


def test_what_the_mended_contract_accepts_is_loaded_and_leaves_the_file(bench: Bench) -> None:
    bench.run("r1", thing(1), thing(2, 99), thing(3, "x"))
    (done,) = bench.replay()
    assert (done.run_id, done.records, done.accepted, done.refused) == ("r1", 2, 1, 1)
    assert done.loaded and (done.loaded.inserted, done.kept) == (1, None)
    assert bench.rows() == [(1, 1), (2, 99)]
    (entry,) = bench.held()
    assert (entry["position"], entry["field"]) == (3, "size")


def test_a_record_that_stays_has_its_new_reason(bench: Bench) -> None:
    bench.run("r1", thing(1), thing(2, 99))

    class Stricter(Mended):
        size: Annotated[int, Field(ge=100)]

    bench.replay(replace(MENDED, record=Stricter))
    (entry,) = bench.held()
    assert entry["reason"] == "Input should be greater than or equal to 100"
    assert json.loads(entry["raw"]) == thing(2, 99)


def test_a_file_of_which_all_is_loaded_is_gone_and_a_second_replay_finds_nothing(
    bench: Bench,
) -> None:
    bench.run("r1", thing(1), thing(2, 99))
    bench.replay()
    assert list(bench.quarantine.iterdir()) == []
    assert bench.replay() == []


def kill_before_rewriting(
    bench: Bench, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("ingest.replay._rewrite", killed)
        bench.replay(contract)


def test_a_replay_killed_after_its_commit_doubles_no_row(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyless, mended = replace(STRICT, key=()), replace(MENDED, key=())
    bench.run("r1", thing(1), thing(2, 99), thing(3, "x"), contract=keyless)
    before = bench.held()
    kill_before_rewriting(bench, mended, monkeypatch)
    assert (bench.held(), bench.rows()) == (before, [(1, 1), (2, 99)])
    (again,) = bench.replay(mended)
    assert (again.records, again.accepted, again.loaded) == (1, 0, None)
    assert bench.rows() == [(1, 1), (2, 99)]
    assert [entry["position"] for entry in bench.held()] == [3]


def test_a_failed_load_leaves_the_file_as_it_was(bench: Bench) -> None:
    bench.run("r1", thing(1), thing(2, 99))
    before = bench.held()

    class Changed(Mended):
        size: str  # type: ignore[assignment]

        model_config = {"coerce_numbers_to_str": True}

    with pytest.raises(TargetError, match="column 'size'"):
        bench.replay(replace(MENDED, record=Changed))
    assert bench.held() == before


def test_a_dry_run_says_what_would_be_and_does_nothing(bench: Bench) -> None:
    bench.run("r1", thing(1), thing(2, 99), thing(3, "x"))
    before = bench.held()
    (found,) = bench.replay(dry_run=True)
    assert (found.accepted, found.refused, found.loaded) == (1, 1, None)
    assert (bench.held(), bench.rows()) == (before, [(1, 1)])


def test_of_a_run_that_refused_too_many_nothing_is_replayed(bench: Bench) -> None:
    bench.run("r0", thing(1))
    with pytest.raises(TooManyRejected, match=r"-r1\.failed\.ndjson"):
        bench.run("r1", thing(2), thing(3, 99), limits=Limits(0.1))
    (found,) = bench.replay()
    assert found.left and "refused too many" in found.left
    assert (len(bench.held()), bench.rows()) == (1, [(1, 1)])


def test_of_a_run_whose_load_failed_nothing_is_replayed(bench: Bench) -> None:
    bench.run("r0", thing(1))
    with pytest.raises(TargetError):
        bench.run("r1", thing(2), thing(3, 99), contract=replace(STRICT, table="_blueprint_loads"))
    (found,) = bench.replay()
    assert found.left and "none of the last loads of things" in found.left
    assert (len(bench.held()), bench.rows()) == (1, [(1, 1)])


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([thing(1, 99, seen=1), thing(1, 2, seen=2)], [(1, 2)]),  # the later one is newer
        ([thing(1, 2, seen=1), thing(1, 99, seen=2)], [(1, 99)]),  # the refused one is newer
        ([thing(1, 99, seen=1), thing(1, 2, seen=1)], [(1, 2)]),  # nothing says so
    ],
)
def test_of_equal_keys_in_one_run_the_newer_stands(
    bench: Bench, records: list[dict[str, Any]], expected: list[tuple[int, int]]
) -> None:
    bench.run("r1", *records)
    bench.replay()
    assert bench.rows() == expected
    assert list(bench.quarantine.iterdir()) == []


def test_a_row_that_its_run_brought_unchanged_is_not_taken_for_an_older_one(bench: Bench) -> None:
    bench.run("r0", thing(1, 2, seen=5))
    bench.run("r1", thing(1, 99, seen=4), thing(1, 2, seen=5))  # the row still bears r0's name
    bench.replay()
    assert bench.rows() == [(1, 2)]


def test_an_older_run_replayed_late_does_not_beat_a_newer_one(bench: Bench) -> None:
    bench.run("r1", thing(1, 99, seen=1), thing(2))
    bench.run("r2", thing(1, 3, seen=2))
    (done,) = bench.replay()
    assert done.loaded and done.loaded.unchanged == 1
    assert bench.rows() == [(1, 3), (2, 1)]


def test_without_a_watermark_rows_are_kept_and_so_are_the_records(bench: Bench) -> None:
    strict, mended = replace(STRICT, watermark=None), replace(MENDED, watermark=None)
    bench.run("r1", thing(1), contract=strict)
    bench.run("r2", thing(1, 99), thing(2, 99), contract=strict)
    (done,) = bench.replay(mended)
    assert bench.rows() == [(1, 1), (2, 99)]
    assert done.kept and done.kept.name.endswith("-r2.kept.ndjson")
    assert [entry["position"] for entry in bench.held()] == [1, 2]
    assert "nothing says which is newer" in bench.held()[0]["reason"]
    assert bench.replay(mended) == []


def test_without_a_watermark_a_killed_replay_loses_no_record(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict, mended = replace(STRICT, watermark=None), replace(MENDED, watermark=None)
    bench.run("r1", thing(1), contract=strict)
    bench.run("r2", thing(1, 99), contract=strict)
    kill_before_rewriting(bench, mended, monkeypatch)
    (again,) = bench.replay(mended)
    assert (again.records, bench.rows()) == (0, [(1, 1)])
    assert again.kept and [json.loads(entry["raw"]) for entry in bench.held()] == [thing(1, 99)]


def test_without_a_key_a_run_whose_rows_were_replaced_is_left(bench: Bench) -> None:
    keyless, mended = replace(STRICT, key=()), replace(MENDED, key=())
    bench.run("r1", thing(1), thing(2, 99), contract=keyless)
    bench.run("r2", thing(1), thing(3, 99), contract=keyless)
    old, new = bench.replay(mended)
    assert old.left and "the run r2 has replaced" in old.left
    assert new.loaded and bench.rows() == [(1, 1), (3, 99)]


def test_a_key_that_the_transform_makes_cannot_be_replayed(bench: Bench) -> None:
    bench.run("r1", thing(1), thing(2, 99))
    with pytest.raises(ContractError, match="KEY 'day' is made by"):
        bench.replay(replace(MENDED, key=("day",)))


def test_a_replay_does_not_move_the_tables_watermark(bench: Bench) -> None:
    bench.run("r1", thing(1, seen=5), thing(2, 99, seen=9))
    bench.replay()
    last = bench.sink.last_load("things")
    assert last and (last.run_id, last.watermark) == ("r1", "5")


HOPELESS = [
    b'{"id": 2, "size": 1\n',  # cut
    b'{"id": 2, "size": "\xff"}\n',
    b'{"id": 2, "size": 1, "more": "\\\xff"}\n',  # with \xff written out, it would be JSON
    b"[1]\n",
]


@pytest.mark.parametrize("line", HOPELESS)
def test_what_is_no_record_under_any_contract_stays(bench: Bench, line: bytes) -> None:
    bench.run("r1", thing(1), line)
    before = bench.held()
    (found,) = bench.replay()
    assert (found.records, found.hopeless, found.accepted) == (1, 1, 0)
    assert (bench.held(), bench.rows()) == (before, [(1, 1)])


def test_the_rows_of_a_csv_are_replayed_but_no_crooked_ones(bench: Bench) -> None:
    bench.run("r1", b'id,size,seen\n1,1,\n2,"99",\n3,99,1,1\n', name="things.csv")
    (found,) = bench.replay()
    assert (found.accepted, found.hopeless) == (1, 1)
    assert bench.rows() == [(1, 1), (2, 99)]


def test_an_element_of_an_array_is_replayed_in_its_place(bench: Bench) -> None:
    body = b'[{"id": 1, "size":\n 99}, {"id": 1, "size": 98}, {"id": 3, "size": 1}]'
    bench.run("r1", body, name="things.json")
    bench.replay()
    assert bench.rows() == [(1, 98), (3, 1)]  # of two with equal keys the later one


def write_parquet(folder: Path, select: str) -> bytes:
    duckdb.sql(select).write_parquet(str(folder / "made.parquet"))
    return (folder / "made.parquet").read_bytes()


def test_a_record_of_parquet_is_replayed_where_json_holds_it_exactly(bench: Bench) -> None:
    body = write_parquet(
        bench.folder, "SELECT * FROM (VALUES (1, 1, 0), (2, 99, 0)) t(id, size, seen)"
    )
    bench.run("r1", body, name="things.parquet")
    bench.replay()
    assert bench.rows() == [(1, 1), (2, 99)]


@pytest.mark.parametrize("value", ["DATE '2026-01-01'", "'ab'::BLOB", "1.5::DECIMAL(9, 2)"])
def test_a_record_of_parquet_with_other_types_is_not_replayed(bench: Bench, value: str) -> None:
    class Dated(Mended):
        other: datetime | str | None = None

    body = write_parquet(bench.folder, f"SELECT 2 AS id, 99 AS size, 0 AS seen, {value} AS other")
    bench.run("r1", body, name="things.parquet")
    (found,) = bench.replay(replace(MENDED, record=Dated))
    assert (found.records, found.hopeless, found.accepted) == (1, 1, 0)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda line: line + b"not json\n",
        lambda line: line + b"[]\n",
        lambda line: line + line.replace(b'"r1"', b'"r2"'),
    ],
)
def test_a_file_that_was_spoiled_is_refused_by_its_line(
    bench: Bench, spoil: Callable[[bytes], bytes]
) -> None:
    bench.run("r1", thing(1), thing(2, 99))
    (path,) = bench.quarantine.iterdir()
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(SourceError, match="Line 2 of .*nothing of it was replayed"):
        bench.replay()
    assert bench.rows() == [(1, 1)]


def test_entries_may_be_taken_out_or_stand_in_another_order(bench: Bench) -> None:
    bench.run("r1", thing(9), thing(1, 98), thing(1, 99), thing(2, 99))
    (path,) = bench.quarantine.iterdir()
    first, second, _ = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(second + first)
    bench.replay()
    assert bench.rows() == [(1, 99), (9, 1)]
