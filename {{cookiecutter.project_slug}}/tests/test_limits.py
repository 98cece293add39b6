"""How long things are kept: one table of pyproject.toml."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import pytest

from blueprint import limits
from blueprint.limits import Limits
from blueprint.project import Problem


def project(folder: Path, text: str) -> Path:
    (folder / "pyproject.toml").write_text(text, "utf-8")
    return folder


def test_this_project_names_each_limit_and_no_other() -> None:
    from blueprint.environment import settings

    assert settings()["tool"]["blueprint"]["limits"].keys() == asdict(Limits()).keys()


def test_what_is_not_said_has_a_default(tmp_path: Path) -> None:
    assert limits.read(project(tmp_path, "")) == Limits()
    assert limits.read(project(tmp_path, "[tool.blueprint.limits]\nruns_days = 7")) == Limits(
        runs_days=7
    )


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    text = '[tool.blueprint.limits]\nruns_day = 7\nlog_files = 0\nevents_days = "7"\n'
    with pytest.raises(Problem) as told:
        limits.read(project(tmp_path, text))
    message = str(told.value)
    assert "runs_day is not a limit" in message
    assert "log_files is 0, and must be a whole number from 1 on" in message
    assert "events_days is '7'" in message


def test_a_drain_may_be_at_once(tmp_path: Path) -> None:
    text = "[tool.blueprint.limits]\ndrain_seconds = 0"
    assert limits.read(project(tmp_path, text)).drain_seconds == 0


def test_a_server_that_is_started_here_keeps_what_the_limits_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from prefect.settings import Settings

    from blueprint import services

    monkeypatch.setattr(limits, "read", lambda: Limits(runs_days=30, events_days=3))
    for name, value in services.server_environment().items():
        monkeypatch.setenv(name, value)
    server = Settings().server
    assert server.events.retention_period == timedelta(days=3)
    assert server.services.db_vacuum.retention_period == timedelta(days=30)
    assert {"events", "flow_runs"} <= server.services.db_vacuum.enabled_vacuum_types
    # What somebody has set for the server counts.
    monkeypatch.setenv("PREFECT_SERVER_EVENTS_RETENTION_PERIOD", "P1D")
    assert services.server_environment()["PREFECT_SERVER_EVENTS_RETENTION_PERIOD"] == "P1D"
