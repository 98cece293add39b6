"""Is the environment the one that requirements.lock describes?"""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from blueprint.project import Problem
from runtime.project import ROOT

MEND = "Mend it with: python3 bootstrap.py"


def check() -> dict[str, str]:
    """The versions that matter, after all of them were held against the lock.

    Returns:
        Package names to versions: Python, Prefect, Pydantic, DuckDB.

    Raises:
        Problem: Python is of an unsupported version, or a package is missing or is not the
            one that the lock names.
    """
    python = ".".join(map(str, sys.version_info[:3]))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    if python not in SpecifierSet(project["requires-python"]):
        raise Problem(f"Python {python} is not {project['requires-python']}.\n{MEND}")
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
        raise Problem(f"The environment is not what requirements.lock says:\n{listed}\n{MEND}")
    return {"Python": python, **{name: version(name) for name in ("prefect", "pydantic", "duckdb")}}


def locked() -> list[Requirement]:
    """The pins of requirements.lock that apply to this interpreter and platform."""
    text = (ROOT / "requirements.lock").read_text("utf-8")
    pins = [Requirement(line) for line in re.findall(r"^([a-z0-9][^\\\n]*?)\s*\\?$", text, re.M)]
    return [pin for pin in pins if pin.marker is None or pin.marker.evaluate()]
