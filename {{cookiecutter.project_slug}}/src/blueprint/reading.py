"""`blueprint logs` and `blueprint open`: what a person looks at."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

from blueprint import logs, services, show
from blueprint.processes import Supervised
from blueprint.project import Problem, Project

_ELSEWHERE = {"a terminal": "in a terminal", "a Procfile": "from a Procfile"}
"""Who starts what writes into no log of its own, and how that is said."""


def show_logs(chosen: Sequence[Supervised], lines: int, follow: bool) -> None:
    """Print the last lines of the logs, then new ones; each with whose it is where two are asked.

    Raises:
        Problem: there is no log.
    """
    journals = [one for one in chosen if one.process() and one.by.startswith("systemd ")]
    files = [one for one in chosen if one not in journals and one.log.exists()]
    for one in chosen:
        if one not in journals and one.process() and one.by in _ELSEWHERE:
            show.warn(f"the {one.role} was started {_ELSEWHERE[one.by]}, and writes there")
    if not journals and not files:
        roles = " and ".join(one.role for one in chosen)
        running = any(one.process() for one in chosen)
        then = "" if running else ": start them with `blueprint up`"
        raise Problem(f"There is no log of the {roles}{then}.")
    several = len(chosen) > 1
    with suppress(BrokenPipeError, KeyboardInterrupt):
        for one in files:
            for line in logs.last(one.log, lines):
                _line(one.role, line, several)
        sys.stdout.flush()
        _show_journals(journals, lines, follow and not files)
        if follow and files:
            for role, line in logs.follow({one.role: one.log for one in files}):
                _line(role, line, several)
                sys.stdout.flush()
        return
    # The reader has gone: nothing more is to be written, also not at this process' end.
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _line(role: str, line: str, several: bool) -> None:
    print(f"{role} | {line}" if several else line)


def _show_journals(journals: Sequence[Supervised], lines: int, follow: bool) -> None:
    if not journals:
        return
    if shutil.which("journalctl") is None:
        raise Problem("systemd runs this, and there is no journalctl to show its log.")
    units = [f"--user-unit={one.by.removeprefix('systemd ')}" for one in journals]
    more = ["--follow"] if follow else ["--no-pager"]
    subprocess.run(["journalctl", *units, f"--lines={lines}", *more], check=False)


def open_ui(project: Project) -> None:
    """Print the UI's address, and open it where there is a terminal and a browser to see it in.

    Raises:
        Problem: nothing answers there.
    """
    if project.is_local and not services.is_healthy(project):
        raise Problem(f"No Prefect server answers at {project.api_url}. Start it: `blueprint up`")
    print(project.ui_url)
    if not sys.stdout.isatty():
        return
    display = sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    )
    if display:
        import webbrowser

        if webbrowser.open(project.ui_url):
            return
    show.warn("no browser was found here: open that address in one")
