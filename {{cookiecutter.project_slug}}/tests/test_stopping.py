"""`blueprint down`, `cleanup` and `up`: what was started elsewhere is left alone, and named."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from blueprint import cleaning, paging, processes, readiness, services, stopping
from blueprint.processes import SERVER, UP, WORKER, Supervised
from blueprint.project import Problem, Project

HERE = Project("http://127.0.0.1:4999/api", Path("/home"))


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "STATE", tmp_path)


@pytest.fixture
def living() -> Iterator[subprocess.Popen[bytes]]:
    one = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield one
    one.kill()
    one.wait()


class Server:
    """A client whose server has these runs, and gives a page of them at once."""

    def __init__(self, runs: list[Any]) -> None:
        self.runs = runs
        self.removed: list[str] = []

    def read_work_pools(self) -> list[Any]:
        return []

    def read_flow_runs(self, *, limit: int = 200, offset: int = 0, **_: Any) -> list[Any]:
        return self.runs[offset : offset + limit]

    def delete_work_pool(self, name: str) -> None:
        self.removed.append(name)


def run(name: str) -> Any:
    return SimpleNamespace(id=uuid4(), name=name, deployment_id=None)


@pytest.mark.parametrize("by", ["systemd mine-worker.service", "a terminal", "a Procfile"])
def test_the_server_stays_up_under_this_projects_own_worker_that_was_started_elsewhere(
    living: subprocess.Popen[bytes], by: str, capsys: pytest.CaptureFixture[str]
) -> None:
    SERVER.recorded(living.pid, HERE.api_url, UP)
    WORKER.recorded(os.getpid(), "pool", by)
    client: Any = Server([])
    stopping._stop_server(client, HERE)
    assert living.poll() is None
    assert f"others use it: this project's worker, started by {by}" in capsys.readouterr().out


def test_the_server_stops_where_nobody_uses_it(living: subprocess.Popen[bytes]) -> None:
    SERVER.recorded(living.pid, HERE.api_url, UP)
    client: Any = Server([])
    stopping._stop_server(client, HERE)
    assert living.poll() is not None


def test_others_that_use_the_server_are_found_beyond_the_first_page() -> None:
    client: Any = Server([run(f"run-{n}") for n in range(paging.PAGE + 1)])
    assert f"run run-{paging.PAGE}" in stopping._other_users(client)


@pytest.mark.parametrize(
    ("by", "told"),
    [
        (UP, "Stop it first: .venv/bin/blueprint down"),
        (
            "systemd mine.service",
            "Stop it first where it was started, by systemd mine.service: "
            "systemctl --user stop mine.service",
        ),
        (
            "launchd mine",
            "Stop it first where it was started, by launchd mine: "
            "launchctl bootout gui/$(id -u)/mine",
        ),
        ("a terminal", "Stop it first where it was started, by a terminal."),
    ],
)
def test_a_person_who_has_to_stop_something_is_told_what_stops_it(by: str, told: str) -> None:
    one = Supervised("worker")
    one.recorded(os.getpid(), "another pool", by)
    with pytest.raises(Problem) as refused:
        services._refuse_another(one, "the pool")
    assert str(refused.value).endswith(told)
    with pytest.raises(Problem) as waited:
        readiness.wait(one, lambda: False, 0, started=False)
    assert str(waited.value).endswith(told)


def test_cleanup_leaves_the_pool_to_a_worker_that_was_started_elsewhere() -> None:
    WORKER.recorded(os.getpid(), "pool", "systemd mine.service")
    assert "systemctl --user stop mine.service" in cleaning._in_use("pool")
    assert cleaning._in_use("another pool") == ""


def test_cleanup_stops_no_worker_that_took_a_run_while_a_person_was_asked(
    living: subprocess.Popen[bytes],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    WORKER.recorded(living.pid, "pool", UP)
    monkeypatch.setattr(cleaning, "runs_of", lambda _: {})
    assert cleaning._in_use("pool") == ""
    monkeypatch.setattr(cleaning, "runs_of", lambda _: {"a run": []})
    client: Any = Server([])
    plan = cleaning.Plan(
        removed=[
            ("the automation 'a'", lambda: None),
            ("the work pool 'pool'", lambda: cleaning._remove_pool(client, "pool")),
        ]
    )
    cleaning.remove(plan)
    assert [what for what, _ in plan.removed] == ["the automation 'a'"]
    assert plan.left == ["the work pool 'pool', whose worker has a run in hand"]
    assert "stays: the work pool 'pool', whose worker has" in capsys.readouterr().out
    assert client.removed == []
    assert living.poll() is None


def test_cleanup_drains_the_worker_and_does_not_kill_it(
    living: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    WORKER.recorded(living.pid, "pool", UP)
    drained: list[int] = []
    monkeypatch.setattr(stopping, "stop_worker", lambda _, limit: not drained.append(limit))
    client: Any = Server([])
    cleaning._remove_pool(client, "pool")
    assert drained == [cleaning.limits.read().drain_seconds]
    assert client.removed == ["pool"]


def test_cleanup_counts_the_runs_beyond_the_first_page() -> None:
    client: Any = Server([run(f"run-{n}") for n in range(paging.PAGE + 1)])
    held: Any = SimpleNamespace(id=uuid4())
    assert len(cleaning._runs(client, held, paging.ACTIVE)) == paging.PAGE + 1


def test_ctrl_d_at_the_question_removes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def ctrl_d(_: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", ctrl_d)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    with pytest.raises(Problem, match="Nothing was removed"):
        cleaning.confirm(False, "Remove it?", "cleanup")
