"""Waiting until a server or worker that was started does its work."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from blueprint import show
from blueprint.processes import UP, Supervised
from blueprint.project import Problem
from runtime.project import ROOT


def wait(what: Supervised, ready: Callable[[], bool], patience: float, started: bool) -> None:
    """Wait until it is ready; what was `started` just now and does not get there is stopped.

    Raises:
        Problem: it ended, or was not ready within `patience` seconds.
    """
    began = time.monotonic()
    told = 0.0
    while not ready():
        waited = time.monotonic() - began
        if what.process() is None:
            raise Problem(f"The {what.role} ended at once. Its log ends:\n{what.last_words()}")
        if waited > patience:
            if started:
                what.stop()
            end = "was stopped" if started else "still runs; `blueprint logs` shows it"
            then = "" if started else f"\n{how_to_stop(what)}"
            raise Problem(
                f"The {what.role} was not ready after {patience} s and {end}. Its log ends:\n"
                f"{what.last_words()}{then}"
            )
        if waited - told >= 10:
            told = waited
            show.doing(f"waiting for the {what.role} ({waited:.0f} s; it may take {patience})")
        time.sleep(0.2)


def stop_command(what: Supervised) -> str:
    """The command that stops what runs; empty where it is stopped by hand, as in a terminal."""
    manager, _, unit = what.by.partition(" ")
    if what.by == UP:
        return ".venv/bin/blueprint down"
    return {
        "systemd": f"systemctl --user stop {unit}",
        "launchd": f"launchctl bootout gui/$(id -u)/{unit}",
    }.get(manager, "")


def how_to_stop(what: Supervised) -> str:
    """What a person is told who has to stop what runs: where, and the command if there is one."""
    command = stop_command(what)
    where = "" if what.by == UP else f" where it was started, by {what.by}"
    return f"Stop it first{where}{f': {command}' if command else '.'}"


def listening(host: str, port: int) -> bool:
    """Whether something takes connections there."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def log_of(what: Supervised) -> str:
    """Where its log is, from the project's folder on."""
    return str(what.log.relative_to(ROOT))
