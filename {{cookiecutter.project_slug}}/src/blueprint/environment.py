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

MEND = "Mend it with: python3 bootstrap.py"


def check() -> dict[str, str]:
    """The versions that matter, after all of them were held against the locks.

    Returns:
        Package names to versions: Python, Prefect, Pydantic, DuckDB.

    Raises:
        Problem: Python is of an unsupported version, or a package is missing or is not the
            one that the lock names.
    """
    python = ".".join(map(str, sys.version_info[:3]))
    supported = settings()["project"]["requires-python"]
    if python not in SpecifierSet(supported):
        raise Problem(f"Python {python} is not {supported}.\n{MEND}")
    faults = []
    for pin in locked():
        name, wanted = pin.name, str(pin.specifier).removeprefix("==")
        try:
            found = version(name)
        except PackageNotFoundError:
            faults.append(f"{name} {wanted} is not installed")
            continue
        if found != wanted:
            faults.append(f"{name} is {found}, and the lock says {wanted}")
    if faults:
        listed = "\n".join(f"  - {fault}" for fault in faults)
        raise Problem(f"The environment is not what its locks say:\n{listed}\n{MEND}")
    return {"Python": python, **{name: version(name) for name in ("prefect", "pydantic", "duckdb")}}


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


def _pins(lock: Path) -> list[Requirement]:
    text = lock.read_text("utf-8")
    pins = [Requirement(line) for line in re.findall(r"^([a-z0-9][^\\\n]*?)\s*\\?$", text, re.M)]
    return [pin for pin in pins if pin.marker is None or pin.marker.evaluate()]
