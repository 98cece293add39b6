"""`blueprint logs` and `blueprint open`, where there is no server to look at."""

from __future__ import annotations

import os
import sys
import webbrowser
from pathlib import Path

import pytest

from blueprint import processes, reading
from blueprint.processes import Supervised
from blueprint.project import Problem, Project

HERE = Project("http://127.0.0.1:4200/api", Path("/home"))


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Supervised:
    monkeypatch.setattr(processes, "STATE", tmp_path)
    return Supervised("worker")


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_the_journal_is_shown_of_what_systemd_runs(
    worker: Supervised,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    journalctl = tmp_path / "journalctl"
    journalctl.write_text('#!/bin/sh\necho "$@"\n')
    journalctl.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    worker.recorded(os.getpid(), "pool", "systemd mine-worker.service")
    reading.show_logs([worker], 7, follow=False)
    assert "--user-unit=mine-worker.service --lines=7" in capfd.readouterr().out


def test_where_there_is_no_log_it_is_said_how_there_will_be(worker: Supervised) -> None:
    with pytest.raises(Problem, match="no log of the worker.*blueprint up"):
        reading.show_logs([worker], 7, follow=False)


@pytest.mark.parametrize(
    ("by", "where"), [("a Procfile", "from a Procfile"), ("a terminal", "in a terminal")]
)
def test_what_writes_elsewhere_is_said_to_do_so_and_is_not_started_again(
    worker: Supervised, by: str, where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    worker.recorded(os.getpid(), "pool", by)
    with pytest.raises(Problem, match="no log of the worker") as told:
        reading.show_logs([worker], 7, follow=False)
    assert "blueprint up" not in str(told.value)
    assert f"was started {where}, and writes there" in capsys.readouterr().out


def test_the_last_lines_of_one_log_stand_as_they_are_and_of_two_with_whose_they_are(
    worker: Supervised, capsys: pytest.CaptureFixture[str]
) -> None:
    worker.log.parent.mkdir()
    worker.log.write_text("one\ntwo\n")
    reading.show_logs([worker], 1, follow=False)
    assert capsys.readouterr().out == "two\n"
    reading.show_logs([Supervised("server"), worker], 2, follow=False)
    assert capsys.readouterr().out == "worker | one\nworker | two\n"


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("display", ["", ":0"])
def test_a_browser_is_opened_only_where_somebody_sees_it(
    terminal: bool,
    display: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(reading.services, "is_healthy", lambda _: True)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(webbrowser, "open", lambda url: not opened.append(url))
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DISPLAY", display)
    reading.open_ui(HERE)
    assert capsys.readouterr().out.startswith("http://127.0.0.1:4200\n")
    assert bool(opened) == (terminal and bool(display))


def test_the_ui_of_a_server_that_does_not_run_is_not_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading.services, "is_healthy", lambda _: False)
    with pytest.raises(Problem, match="blueprint up"):
        reading.open_ui(HERE)
