"""What a new pipeline may be called: it becomes a package, a function and a deployment."""

from __future__ import annotations

import builtins
import importlib.util
import keyword
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from blueprint import environment
from blueprint.pipelines.copies import names_used, tests
from blueprint.pipelines.which import FIRST, named_package
from blueprint.project import Problem
from runtime.project import ROOT

_NAME = re.compile(r"[a-z][a-z0-9_]{0,29}")
_ROOMS = {FIRST, "ingest", "runtime", "blueprint"}
_DEVICES = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{one}{n}" for one in ("com", "lpt") for n in range(1, 10)),
}
"""What Windows has no files of."""
_BESIDE = {"tests", "scripts", "conftest", "bootstrap", "quarantine"}


def check(name: str, deployments: Sequence[Mapping[str, Any]]) -> None:
    """Raises Problem where a pipeline cannot be called so; nothing is imported for it."""
    if not _NAME.fullmatch(name):
        fitting = re.sub("[^a-z0-9]+", "_", name.lower()).strip("_")[:30]
        advice = f": {fitting}, perhaps" if _NAME.fullmatch(fitting) else ", as web_orders"
        raise Problem(
            f"A pipeline cannot be called {name!r}: it becomes a Python package. Take a lower-case "
            f"letter, then letters, digits and _, 30 at most{advice}."
        )
    if why := _reserved(name):
        raise Problem(_refused(name, why))
    refuse_another(name, deployments)
    if why := _taken(name) or _ignored(name):
        raise Problem(_refused(name, why))


def refuse_another(name: str, deployments: Sequence[Mapping[str, Any]]) -> None:
    """Raises Problem where the project has something of that name."""
    if there := _there(name, deployments):
        runs = name in map(named_package, deployments)
        away = (
            f"blueprint remove-pipeline {name}" if runs else "it is no whole pipeline, so by hand"
        )
        raise Problem(
            f"There is a {name!r} already: {', '.join(there)}.\n"
            f"Take another name, or take that away first: {away}"
        )


def _refused(name: str, why: str) -> str:
    return f"A pipeline cannot be called {name!r}: {why}. Take another name."


def _there(name: str, deployments: Sequence[Mapping[str, Any]]) -> list[str]:
    """What of this name the project has."""
    beside = sorted((ROOT / "src").glob(f"{name}*"))
    found = [f"src/{path.name}" for path in beside if path.stem == name]
    found += [f"tests/{file}" for file in tests(name) if (ROOT / "tests" / file).exists()]
    found += [
        f"the deployment {one['name']!r} in prefect.yaml"
        for one in deployments
        if name in (one["name"], named_package(one))
    ]
    return found


def _reserved(name: str) -> str:
    """Why nothing can ever have this name here; empty where that is not so."""
    if name in _ROOMS:
        return f"src/{name}/ is a room of this project"
    if name in _BESIDE or (ROOT / "tests" / f"{name}.py").exists():
        return "this project has something else of that name"
    if keyword.iskeyword(name) or keyword.issoftkeyword(name) or hasattr(builtins, name):
        return "Python itself has a word of that name"
    if name in _DEVICES:
        return "Windows has a device of that name, and no folder"
    if name in names_used():
        return "the pipeline's own code calls something else so"
    return ""


def _taken(name: str) -> str:
    """What else has this name; empty where nothing has."""
    if name in sys.stdlib_module_names:
        return "Python has a module of that name"
    if name in _locked() or importlib.util.find_spec(name) is not None:
        return "a package that is installed, or may be, has that name"
    return ""


def _ignored(name: str) -> str:
    """Whether git would keep its code out; not asked where there is no git, or all is ignored."""
    paths = [f"src/{package}/flow.py" for package in (name, FIRST)]
    try:
        asked = ["git", "check-ignore", "--no-index", *paths]
        found = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True).stdout.splitlines()
    except OSError:
        return ""
    hidden = f"git ignores src/{name}/, as .gitignore or another of its files has it"
    return hidden if found == paths[:1] else ""


def _locked() -> set[str]:
    """The packages of every lock, as Python spells names."""
    texts = (path.read_text("utf-8") for path in ROOT.glob("requirements*.lock"))
    pins = (pin.name for text in texts for pin in environment.pinned(text))
    return {re.sub("[-.]", "_", name.lower()) for name in pins}
