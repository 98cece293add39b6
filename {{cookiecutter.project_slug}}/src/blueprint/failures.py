"""`blueprint test-failure`: makes the pipeline fail on purpose, and shows that it fails as it should.

The scenarios run in a process of their own, with a temporary server and a database of its own: no
failed run reaches this project's server, where it would alarm somebody, and all of it is gone when
the folder is.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from blueprint import show
from blueprint.project import STATE, Problem
from runtime.project import ROOT

_WIDEST = 200  # characters that are shown of a line; --json has all
_GRACE = 10
"""Seconds that the scenarios and their server are given to end after Ctrl-C."""


def test_failure(as_json: bool = False, pipeline: str | None = None) -> bool:
    """Run the scenarios and print what came of each; whether all ended as they should.

    Raises:
        Problem: the scenarios could not be run; the reason was printed.
    """
    show.quiet(as_json)
    show.heading("Test of failures")
    (STATE / "scratch").mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="failures-", dir=STATE / "scratch"))
    try:
        code = _run(scratch, as_json, pipeline)
        found = _results(scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if code or not found:
        raise Problem("The failures could not be tested; the reason stands above.")
    fine = all(not one["faults"] for one in found)
    if as_json:
        sys.stdout.write(json.dumps({"as_expected": fine, "scenarios": found}, indent=2) + "\n")
    else:
        _print(found)
    return fine


def _run(scratch: Path, as_json: bool, pipeline: str | None) -> int:
    """The scenarios, in a process of their own; its exit code."""
    environment = {
        **os.environ,
        "PREFECT_HOME": str(scratch / "home"),
        # Its log is read from its server; beside it, it would be in the way.
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    }
    named = [pipeline] if pipeline else []
    command = [sys.executable, "-m", "blueprint.failing", str(scratch), *named]
    out = subprocess.DEVNULL if as_json else None
    child = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=out,
        # Ctrl-C reaches this process alone, which then ends the other and its server.
        start_new_session=True,
    )
    try:
        return child.wait()
    finally:
        _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the scenarios and the server that they started, where they have not ended."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(child.pid)
        family = [*process.children(recursive=True), process]
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.terminate()
        _, left = psutil.wait_procs(family, timeout=_GRACE)
        for one in left:
            with suppress(psutil.NoSuchProcess):
                one.kill()
    child.wait()


def _results(scratch: Path) -> list[dict[str, Any]]:
    try:
        return json.loads((scratch / "results.json").read_text("utf-8"))
    except FileNotFoundError:
        return []


def _print(found: list[dict[str, Any]]) -> None:
    for one in found:
        show.heading(one["scenario"])
        for line in one["log"]:
            show.said(line if len(line) <= _WIDEST else f"{line[: _WIDEST - 1]}…")
        for fault in one["faults"]:
            show.warn(f"OTHERWISE THAN EXPECTED: {fault}")
    show.heading("What came of each")
    show.table(
        ("scenario", "expected", "ended", "retries", "as expected"),
        [
            (
                one["scenario"],
                one["expected"],
                one["ended"],
                one["retries"],
                "NO" if one["faults"] else "yes",
            )
            for one in found
        ],
    )
