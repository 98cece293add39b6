"""This project: its folder, its settings, the API it speaks to, its mark.

`enter()` runs before Prefect is imported, because Prefect reads its settings once, at import,
from the current folder.
"""

from __future__ import annotations

import os
import tomllib
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from blueprint.machine import machine
from runtime.project import ROOT

STATE = ROOT / ".blueprint"
"""What the operations write: process records, logs, the project's mark. Ignored by git."""

LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")


class Problem(Exception):
    """Something a person can mend; the message says what failed and what to do next.

    code: the exit code of the command that it ends.
    """

    code = 1


def broken_code(what: str, error: Exception) -> Problem:
    """That the user's code cannot be used, with the reason, and where a slip of its syntax is."""
    where = ""
    if isinstance(error, SyntaxError) and error.filename:
        where = f" ({error.filename}, line {error.lineno})"
    return Problem(f"{what}: {type(error).__name__}: {error}{where}")


@dataclass(frozen=True)
class Project:
    """What the commands need to know of the project they run in."""

    api_url: str
    home: Path

    @property
    def is_local(self) -> bool:
        """Whether the API is a server on this machine, which this project may start."""
        return urlsplit(self.api_url).hostname in LOCAL_HOSTS

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the API."""
        parts = urlsplit(self.api_url)
        return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)

    @property
    def ui_url(self) -> str:
        """Where a person sees the runs: the server's own UI, or Prefect Cloud's."""
        cloud = "https://api.prefect.cloud/api/accounts/"
        if self.api_url.startswith(cloud):
            rest = self.api_url.removeprefix(cloud).replace("/workspaces/", "/workspace/")
            return f"https://app.prefect.cloud/account/{rest}"
        return self.api_url.removesuffix("/api")


def enter() -> Project:
    """Make the project the current folder and read which API it speaks to.

    Raises:
        Problem: `prefect.toml` is missing or says no API URL, or the environment names
            another API than the project does, or Prefect's folder cannot be made.
    """
    os.chdir(ROOT)
    settings = read_settings()
    api_url = str(settings.get("api", {}).get("url", "")).rstrip("/")
    if not api_url:
        raise Problem("prefect.toml says no API address: give [api] a url, ending in /api.")
    there = dotenv()
    _refuse_another_api(api_url, there)
    _refuse_another_port(api_url, settings)
    home = Path(
        os.environ.get("PREFECT_HOME")
        or there.get("PREFECT_HOME")
        or settings.get("home", ".prefect")
    ).expanduser()
    home = home if home.is_absolute() else ROOT / home
    try:
        # Prefect itself makes no folder above it, and then waits for a database in vain.
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Problem(
            f"PREFECT_HOME, the folder {home}, cannot be made: {error}.\n"
            "Set it to a folder that this user may write to, or unset it."
        ) from None
    os.environ["PREFECT_HOME"] = str(home)
    mark()  # first of all: a copied folder must not take the original's processes for its own
    # Prefect's client has telemetry of its own, which only this variable switches off.
    os.environ.setdefault("DO_NOT_TRACK", "1")
    return Project(api_url=api_url, home=home)


def read_settings() -> dict[str, Any]:
    """What prefect.toml says.

    Raises:
        Problem: it is missing, or is no TOML.
    """
    path = ROOT / "prefect.toml"
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise Problem(
            f"There is no {path}: bring it back with `git checkout prefect.toml`."
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise Problem(f"prefect.toml is not TOML: {error}. Mend the line it names.") from None


def dotenv() -> Mapping[str, str | None]:
    """What the file .env says; empty where there is none."""
    if not (ROOT / ".env").is_file():
        return {}
    from dotenv import dotenv_values

    return dotenv_values(ROOT / ".env")


def _refuse_another_api(api_url: str, there: Mapping[str, str | None]) -> None:
    for place, asked in (
        ("the environment", os.environ.get("PREFECT_API_URL")),
        ("the file .env", there.get("PREFECT_API_URL")),
    ):
        if asked and asked.rstrip("/") != api_url:
            raise Problem(
                f"PREFECT_API_URL in {place} is {asked}, and prefect.toml says {api_url}.\n"
                "Unset the variable, or change [api] url in prefect.toml, so that both agree: "
                "nothing is run against a server that was not meant."
            )


def _refuse_another_port(api_url: str, settings: Mapping[str, Any]) -> None:
    server = settings.get("server", {}).get("api", {})
    parts = urlsplit(api_url)
    if parts.hostname in LOCAL_HOSTS and server.get("port", parts.port) != parts.port:
        raise Problem(
            f"prefect.toml says two ports: [api] url is {api_url}, and [server.api] port is "
            f"{server['port']}. `prefect server start` would listen where nobody asks: make them equal."
        )


def mark() -> str:
    """The mark by which a server's deployments are known as this project's; made at first use.

    It is kept with the folder and the machine it was made for. A folder that was moved keeps its
    mark. A copy whose original is still there, or one that came from another machine, is another
    project: it gets a mark of its own, and forgets the processes that the original started.
    """
    path = _mark_file()
    known = _read_mark(path)
    if known is not None:
        value, folder, where = known
        if folder == ROOT:
            return value if where or not machine() else _write_mark(path, value)
        if _read_mark(folder / STATE.name / path.name) != known:
            return _write_mark(path, value)
    if known is not None or path.name != "id":
        for record in STATE.glob("*.json"):
            record.unlink()
    return _write_mark(path, str(uuid.uuid4()), first=not path.exists())


def _mark_file() -> Path:
    """Each machine has a file of its own, so that two that share the folder keep their marks."""
    path = STATE / "id"
    known = _read_mark(path)
    elsewhere = known is not None and known[2] and machine() and known[2] != machine()
    return path.with_name(f"id-{machine()}") if elsewhere else path


def _read_mark(path: Path) -> tuple[str, Path, str] | None:
    """The mark, its folder and its machine; this is empty where it was not known."""
    try:
        value, folder, *rest = path.read_text("utf-8").splitlines()
    except (OSError, ValueError):
        return None
    return value, Path(folder), rest[0] if rest else ""


def _write_mark(path: Path, value: str, first: bool = False) -> str:
    STATE.mkdir(exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(f"{value}\n{ROOT}\n{machine()}\n", "utf-8")
    if first:
        # Of two commands at once, the first one's mark stands.
        with suppress(OSError):  # there already, or a file system without links
            os.link(draft, path)
    if not first or not path.exists():
        draft.replace(path)
    draft.unlink(missing_ok=True)
    return path.read_text("utf-8").splitlines()[0]
