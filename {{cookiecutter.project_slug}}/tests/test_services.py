"""`blueprint up`: which worker of the pool is used as it is, and what this project's is called."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from blueprint import draining, processes, services
from blueprint.processes import Supervised


@pytest.mark.parametrize(
    ("api_url", "started"),
    [("http://127.0.0.1:4999/api", []), ("https://prefect.example.com/api", ["the pool"])],
)
def test_a_worker_of_the_pool_is_used_only_where_it_is_on_this_machine(
    api_url: str, started: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began: list[str] = []

    def start(_: Supervised, command: object, environment: object, serves: str) -> None:
        began.append(serves)

    monkeypatch.setattr(processes, "STATE", tmp_path)
    monkeypatch.setattr(draining, "worker_drains", lambda: False)
    monkeypatch.setattr(services, "_living_worker", lambda *_: "somebody else")
    monkeypatch.setattr(services, "forget", lambda *_: None)
    monkeypatch.setattr(services.readiness, "wait", lambda *_: None)
    monkeypatch.setattr(services.readiness, "log_of", lambda _: "the log")
    monkeypatch.setattr(Supervised, "start", start)
    client: Any = SimpleNamespace(api_url=api_url)
    services.ensure_worker(client, "the pool")
    assert began == started


def test_a_copy_that_has_its_originals_mark_has_a_worker_of_another_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(services, "machine", lambda: "")
    names = set()
    for host in ("one", "another"):
        monkeypatch.setattr(services, "host", lambda host=host: host)
        names.add(services.worker_name())
    assert len(names) == 2
    monkeypatch.setattr(services, "machine", lambda: "0a1b2c3d4e5f")
    assert services.worker_name() in {name.rpartition("-")[0] for name in names}
