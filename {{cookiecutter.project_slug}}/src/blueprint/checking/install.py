"""The installation: the Python, every locked package, Prefect, and the API it speaks to."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from blueprint import environment
from blueprint.checking import gathering, judging
from blueprint.checking.checks import Outcome
from blueprint.checking.verdict import BLUEPRINT
from blueprint.project import Problem, enter
from runtime.project import ROOT

SETUP = "scripts/validate_setup.sh"


def python(outcome: Outcome) -> None:
    """The interpreter is of a supported version, and is that of this project's .venv."""
    outcome.found = ".".join(map(str, sys.version_info[:3]))
    supported = environment.settings()["project"]["requires-python"]
    if outcome.found not in SpecifierSet(supported):
        kind = "too old" if sys.version_info < (3, 11) else "not supported"
        what = f"Python {outcome.found} is {kind}: this project needs {supported}"
        outcome.fault(what, environment.COMMAND)
    if not Path(sys.prefix).resolve().is_relative_to((ROOT / ".venv").resolve()):
        what = f"{sys.executable} is not the Python of {ROOT / '.venv'}"
        outcome.fault(what, environment.COMMAND)


def packages(outcome: Outcome) -> None:
    """Every package is there in the version that the locks name, those of the extras too."""
    faults = [fault for fault in environment.faults() if not fault.startswith("Python ")]
    for fault in faults:
        outcome.fault(fault, environment.COMMAND)
    outcome.found = f"{len(environment.locked()) - len(faults)} packages as locked"


def imports(outcome: Outcome) -> None:
    """Prefect, DuckDB and Pydantic can be imported here, and DuckDB answers a query."""
    enter()
    versions = []
    for name in ("prefect", "pydantic", "duckdb"):
        module = importlib.import_module(name)
        versions.append(f"{name} {module.__version__}")
    import duckdb

    duckdb.sql("SELECT 1").fetchall()
    outcome.found = ", ".join(versions)


def api(outcome: Outcome, required: bool = False) -> None:
    """The API answers and its version goes with this Prefect; or it is yet to be started here.

    required: that it is yet to be started is a fault too.
    """
    try:
        project = enter()
    except Problem:
        what = "the API cannot be asked: prefect.toml or .env has a fault"
        outcome.fault(what, SETUP)
        return
    server = gathering.server_only(project)
    if server.state == "answers":
        outcome.found = f"{server.url}, Prefect {server.version or 'of an untold version'}"
        _compatible(outcome, server.version)
        return
    if server.state == "refused" and server.local:
        what = f"no server runs at {server.url} yet (Connection refused)"
        tell = outcome.fault if required else outcome.note
        tell(what, f"{BLUEPRINT} up")
        outcome.found = "not started yet"
        return
    for one in judging.server_faults(server):
        outcome.fault(one.what, one.mend)


def _compatible(outcome: Outcome, server: str) -> None:
    """Prefect's own rule: the same major version, and a server that is no older."""
    from prefect import __version__ as here

    try:
        theirs, ours = Version(server), Version(here)
    except InvalidVersion:
        return
    mend = f"on the server's machine: pip install 'prefect=={here}'"
    if theirs.major != ours.major:
        outcome.fault(f"the server is Prefect {server}, and this project needs {ours.major}", mend)
    elif theirs < ours:
        outcome.note(f"the server is Prefect {server}, older than {here} here", mend)
