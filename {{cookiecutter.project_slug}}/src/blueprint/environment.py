"""Is the environment the one that the locks of this project describe?"""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from blueprint.project import Problem
from runtime.project import ROOT

COMMAND = "python3 bootstrap.py --force"
MEND = f"Mend it with: {COMMAND}"


def check() -> dict[str, str]:
    """The versions that matter, after all of them were held against the locks.

    Returns:
        Package names to versions: Python, Prefect, Pydantic, DuckDB.

    Raises:
        Problem: Python is of an unsupported version, or a package is missing or is not the
            one that the lock names.
    """
    if found := faults():
        listed = "\n".join(f"  - {fault}" for fault in found)
        raise Problem(f"The environment is not what its locks say:\n{listed}\n{MEND}")
    python = ".".join(map(str, sys.version_info[:3]))
    return {"Python": python, **{name: version(name) for name in ("prefect", "pydantic", "duckdb")}}


def faults() -> list[str]:
    """Where the interpreter and the packages are not what the locks say; each a sentence.

    Raises:
        Problem: pyproject.toml names an extra that has no lock.
    """
    python = ".".join(map(str, sys.version_info[:3]))
    supported = settings()["project"]["requires-python"]
    found = [] if python in SpecifierSet(supported) else [f"Python {python} is not {supported}"]
    for pin in locked():
        name, wanted = pin.name, str(pin.specifier).removeprefix("==")
        try:
            installed = version(name)
        except PackageNotFoundError:
            found.append(f"{name} {wanted} is not installed")
            continue
        if installed != wanted:
            found.append(f"{name} is {installed}, and the lock says {wanted}")
    return found


def locked(root: Path = ROOT) -> list[Requirement]:
    """The pins that apply to this interpreter and platform, those of the extras included.

    Raises:
        Problem: pyproject.toml names an extra that has no lock.
    """
    extras = settings(root).get("tool", {}).get("blueprint", {}).get("extras", [])
    pins = _pins(root / "requirements.lock")
    for extra in extras:
        lock = root / f"requirements-{extra}.lock"
        if not lock.is_file():
            raise Problem(f"pyproject.toml names the extra {extra!r}, and there is no {lock.name}.")
        pins += _pins(lock)
    return pins


def settings(root: Path = ROOT) -> dict[str, Any]:
    """What pyproject.toml says."""
    return tomllib.loads((root / "pyproject.toml").read_text("utf-8"))


def pinned(text: str) -> list[Requirement]:
    """The pins of a lock's text, those for other interpreters and platforms too."""
    return [Requirement(line) for line in re.findall(r"^([a-z0-9][^\\\n]*?)\s*\\?$", text, re.M)]


def _pins(lock: Path) -> list[Requirement]:
    pins = pinned(lock.read_text("utf-8"))
    return [pin for pin in pins if pin.marker is None or pin.marker.evaluate()]
