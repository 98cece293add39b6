"""What killed runs and refused records leave behind: only what is old, and only this project's."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from blueprint import database, leftovers, limits
from blueprint.project import STATE
from runtime.project import WORK_PREFIX, resolve

RUN = "90a45b75-b0d1-4b3d-b14d-dd56cfa5ef0c"
DAY = 24 * 60 * 60


def aged(path: Path, days: float) -> Path:
    moment = time.time() - days * DAY
    os.utime(path, (moment, moment))
    return path


@pytest.fixture
def quarantine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A quarantine folder that the manifest names."""

    class Plan:
        deployments = ({"parameters": {"quarantine": str(tmp_path)}},)

    monkeypatch.setattr(leftovers.manifest, "load", lambda: Plan)
    return tmp_path


def test_only_old_files_that_a_run_has_named_leave_the_quarantine(quarantine: Path) -> None:
    stamp = "20260101T000000Z"
    names = (
        f"{stamp}-{RUN}.ndjson",
        f"{stamp}-{RUN}.failed.ndjson",
        f"{stamp}-{RUN}.kept.ndjson",
        f".{stamp}-{RUN}.ndjson.partial",
        f".{stamp}-{RUN}.ndjson.1234",
        "orders.ndjson",
        "20260101T000000Z-orders.ndjson",
        f"{stamp}-{RUN}.csv",
    )
    for name in names:
        (quarantine / name).write_text("{}")
        aged(quarantine / name, 91)
    # Refused, or replayed, within the limit: it can still be replayed.
    (quarantine / f"20260102T000000Z-{RUN}.ndjson").write_text("{}")
    found = leftovers.quarantine(limits.ago(90))
    assert [path.name for path in found] == sorted(names[:5])
    leftovers.remove(found)
    assert len(list(quarantine.iterdir())) == 4


def test_a_folder_of_a_killed_run_goes_and_that_of_a_live_or_foreign_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(leftovers, "STATE", tmp_path / "state")
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    mine = WORK_PREFIX.removesuffix(f"{os.getpid()}-")
    foreign = mine.replace(mine.split("-")[1], "0123456789ab")
    names = {
        "killed": f"{mine}{gone.pid}-abc",
        "young": f"{mine}{gone.pid}-def",
        "written to": f"{mine}{gone.pid}-ghi",
        "alive": f"{mine}{os.getpid()}-abc",
        "foreign": f"{foreign}{gone.pid}-abc",
        "other": "pipeline-mine",
    }
    for what, name in names.items():
        (tmp_path / name).mkdir()
        file = tmp_path / name / "part.ndjson"
        file.write_text("x")
        aged(file, 0 if what == "written to" else 3)
        aged(tmp_path / name, 0 if what == "young" else 3)
    found = leftovers.work_folders(limits.ago(2))
    assert [path.name for path in found] == [names["killed"]]
    leftovers.remove(found)
    assert not (tmp_path / names["killed"]).exists()


def test_a_run_names_its_folder_as_this_project_does() -> None:
    from runtime.work import work_folder

    with work_folder() as folder:
        assert leftovers._FOLDER.fullmatch(folder.name)
    assert str(STATE) == resolve(".blueprint")


def test_the_database_shrinks_while_somebody_else_has_it_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlite3

    file = tmp_path / "prefect.db"
    monkeypatch.setattr(database, "path", lambda: file)
    # As Prefect leaves it: write-ahead, and without auto_vacuum.
    server = sqlite3.connect(file)
    server.execute("PRAGMA journal_mode = WAL")
    server.execute("CREATE TABLE log (message TEXT)")
    server.commit()
    server.close()
    database.prepare()
    server = sqlite3.connect(file)
    server.executemany("INSERT INTO log VALUES (?)", [("x" * 1000,)] * 10_000)
    server.commit()
    server.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    full = file.stat().st_size
    server.execute("DELETE FROM log WHERE rowid > 100")
    server.commit()
    before, after = database.shrink(awaited=False)
    assert before == full > 10_000_000
    assert after == file.stat().st_size < 300_000
    assert server.execute("SELECT count(*) FROM log").fetchone() == (100,)
    server.close()
