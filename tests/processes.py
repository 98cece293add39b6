"""The processes of a living project: its server and its worker, and commands that go on."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path

import psutil
from living import Living


def typed(living: Living, *arguments: str) -> subprocess.Popen[bytes]:
    """A `blueprint` command that goes on while the test does; `told` gives what it has printed."""
    out = living.path.parent / f"{arguments[0]}-{os.urandom(4).hex()}.out"
    with out.open("wb") as file:
        process = subprocess.Popen(
            [living.tool("blueprint"), *arguments],
            cwd=living.path,
            env=living.environment | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    process.out = out  # type: ignore[attr-defined]
    return process


def told(process: subprocess.Popen[bytes]) -> str:
    return process.out.read_text("utf-8")  # type: ignore[attr-defined]


def processes(living: Living) -> list[psutil.Process]:
    found = []
    for one in psutil.process_iter():
        try:
            if one.environ().get("PREFECT_HOME") == living.environment["PREFECT_HOME"]:
                found.append(one)
        except psutil.Error:
            continue
    return found


def process_of(living: Living, role: str) -> psutil.Process | None:
    """The process that the project's record names, if it runs."""
    try:
        known = json.loads((living.path / ".blueprint" / f"{role}.json").read_text("utf-8"))
        one = psutil.Process(known["pid"])
        return one if one.status() != psutil.STATUS_ZOMBIE else None
    except (OSError, psutil.Error):
        return None


def terminate(process: psutil.Process | None) -> None:
    assert process is not None
    process.terminate()
    process.wait(timeout=60)


def as_systemd_starts_it(living: Living, role: str, folder: Path) -> subprocess.Popen[bytes]:
    """Start the server or worker with the words and the variables of its unit, and no others."""
    living.blueprint("units", "--kind", "systemd", "--write", "--folder", str(folder))
    text = next(folder.glob(f"*-{role}.service")).read_text("utf-8").replace("%%", "%")
    lines = [line.partition("=")[::2] for line in text.splitlines()]
    command = next(shlex.split(value[1:]) for key, value in lines if key == "ExecStart")
    words = [shlex.split(value)[0] for key, value in lines if key == "Environment"]
    bare = {key: living.environment[key] for key in ("PATH", "HOME", "LANG")}
    environment = bare | dict(word.split("=", 1) for word in words)
    return subprocess.Popen(command, cwd="/", env=environment, stdin=subprocess.DEVNULL)
