"""What starts the server and the worker with the machine: systemd, launchd or a Procfile."""

from __future__ import annotations

import hashlib
import os
import plistlib
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from blueprint import limits, services
from blueprint.draining import GRACE
from blueprint.processes import STARTED_BY
from blueprint.project import Problem, Project
from runtime.project import ROOT

_SLACK = GRACE + 45
"""Seconds after the limit of a drain before a worker that still runs is ended by force."""
_AGAIN = 30  # seconds until what has ended is started again
_SEAL = re.compile(r"Rendered by `blueprint units`; seal ([0-9a-f]{16})\.")


@dataclass(frozen=True)
class Unit:
    """A file that was rendered: where it goes, and what it says."""

    path: Path
    text: str


@dataclass(frozen=True)
class Kind:
    """One way to have processes started: its files, and what a person types then."""

    folder: Path
    render: Callable[[Sequence[str], dict[str, str]], dict[str, str]]
    then: Callable[[Sequence[Path]], list[str]]


def render(kind: str, project: Project, home: str | None, folder: Path | None) -> list[Unit]:
    """The files of a kind: for the worker, and for the server where it is on this machine.

    Args:
        kind: a key of `KINDS`.
        project: the project.
        home: PREFECT_HOME, if the environment sets it; the units then do so too.
        folder: where they go; None for where the kind's own program looks.
    """
    files = KINDS[kind].render(roles(project), {"PREFECT_HOME": home} if home else {})
    into = folder or KINDS[kind].folder
    return [Unit(into / name, text) for name, text in files.items()]


def roles(project: Project) -> list[str]:
    """What this machine runs: a server only where the project's API is here."""
    return ["server", "worker"] if project.is_local else ["worker"]


def write(units: Sequence[Unit], force: bool) -> list[Path]:
    """Write the files whose text differs; gives their paths.

    Raises:
        Problem: one is there that was edited since, or that `blueprint units` did not write.
            Then none is written.
    """
    changed = [unit for unit in units if not unit.path.exists() or _read(unit) != unit.text]
    edited = [unit for unit in changed if unit.path.exists() and not _is_as_rendered(_read(unit))]
    if edited and not force:
        listed = "\n".join(f"  - {unit.path}" for unit in edited)
        raise Problem(
            f"These were edited, or are not from here; nothing was written:\n{listed}\n"
            "Compare them with what `blueprint units` prints; --force replaces them."
        )
    for unit in changed:
        unit.path.parent.mkdir(parents=True, exist_ok=True)
        draft = unit.path.with_name(f".{unit.path.name}.new")
        draft.write_text(unit.text, "utf-8")
        draft.replace(unit.path)
    return [unit.path for unit in changed]


def _read(unit: Unit) -> str:
    return unit.path.read_text("utf-8", errors="replace")


def _sealed(text: str, opening: str, closing: str = "") -> str:
    """The text with a comment ahead that tells later whether somebody edited it."""
    return f"{opening} Rendered by `blueprint units`; seal {_seal(text)}.{closing}\n{text}"


def _seal(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _is_as_rendered(text: str) -> bool:
    found = _SEAL.search(text)
    if found is None:
        return False
    rest = text[text.index("\n", found.end()) + 1 :]
    return _seal(rest) == found[1]


def name(role: str) -> str:
    """A unit's name: the folder, the project's mark, the role; no other project has it."""
    return f"{re.sub(r'[^A-Za-z0-9_.-]', '-', services.worker_name())}-{role}"


def _blueprint() -> str:
    return str(Path(sys.executable).with_name("blueprint"))


def _systemd(which: Sequence[str], environment: dict[str, str]) -> dict[str, str]:
    return {f"{name(role)}.service": _service(role, which, environment) for role in which}


def _service(role: str, which: Sequence[str], environment: dict[str, str]) -> str:
    unit = f"{name(role)}.service"
    server = f"{name('server')}.service"
    before = f"After={server}\nWants={server}\n" if role == "worker" and "server" in which else ""
    variables = {**environment, STARTED_BY: f"systemd {unit}"}
    lines = "\n".join(f"Environment={_quoted(f'{k}={v}')}" for k, v in variables.items())
    # A colon: no variable is put into what follows, whatever the path has in it.
    text = f"""[Unit]
Description=Prefect {role} of {ROOT.name.replace("%", "%%")}
{before}StartLimitIntervalSec=0

[Service]
ExecStart=:{_quoted(_blueprint())} {role}
{lines}
# The worker drains: only it is asked to end, and its runs go on up to drain_seconds.
KillMode=mixed
TimeoutStopSec={limits.read().drain_seconds + _SLACK}
Restart=always
RestartSec={_AGAIN}

[Install]
WantedBy=default.target
"""
    return _sealed(text, "#")


def _quoted(value: str) -> str:
    """A word of a systemd unit, in which a quote, a backslash or a percent sign means itself."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def _launchd(which: Sequence[str], environment: dict[str, str]) -> dict[str, str]:
    return {f"{name(role)}.plist": _plist(role, environment) for role in which}


def _plist(role: str, environment: dict[str, str]) -> str:
    text = plistlib.dumps(
        {
            "Label": name(role),
            "ProgramArguments": [_blueprint(), role, "--log"],
            "EnvironmentVariables": {**environment, STARTED_BY: f"launchd {name(role)}"},
            "RunAtLoad": True,
            "KeepAlive": True,
            "ThrottleInterval": _AGAIN,
            "ExitTimeOut": limits.read().drain_seconds + _SLACK,
        },
        sort_keys=False,
    ).decode()
    head, _, rest = text.partition("\n")
    return f"{head}\n{_sealed(rest, '<!--', ' -->')}"


def _procfile(which: Sequence[str], environment: dict[str, str]) -> dict[str, str]:
    given = {**environment, STARTED_BY: "a Procfile"}
    ahead = " ".join(f"{key}={shlex.quote(value)}" for key, value in given.items())
    lines = [f"{role}: exec env {ahead} {shlex.quote(_blueprint())} {role}\n" for role in which]
    return {"Procfile": _sealed("".join(lines), "#")}


def _then_systemd(paths: Sequence[Path]) -> list[str]:
    at_home = all(path.parent == KINDS["systemd"].folder for path in paths)
    services_ = " ".join(path.name if at_home else shlex.quote(str(path)) for path in paths)
    return [
        "systemctl --user daemon-reload",
        f"systemctl --user enable --now {services_}",
        "loginctl enable-linger    # so that they start with the machine, before anybody logs in",
    ]


def _then_launchd(paths: Sequence[Path]) -> list[str]:
    return [f"launchctl bootstrap gui/$(id -u) {shlex.quote(str(path))}" for path in paths]


def _then_procfile(paths: Sequence[Path]) -> list[str]:
    return [f"honcho start -f {shlex.quote(str(path))}" for path in paths]


KINDS = {
    "systemd": Kind(
        Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "systemd" / "user",
        _systemd,
        _then_systemd,
    ),
    "launchd": Kind(Path("~/Library/LaunchAgents").expanduser(), _launchd, _then_launchd),
    "procfile": Kind(ROOT, _procfile, _then_procfile),
}
