"""Reads `prefect.yaml`, linted and with its variables filled in."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from blueprint.lint import VARIABLE, lint
from blueprint.pipelines.which import FIRST, named_package, packages_of
from blueprint.project import Problem, mark
from blueprint.versions import version
from blueprint.withholding import Filled
from runtime.project import ROOT

PATH = ROOT / "prefect.yaml"


@dataclass(frozen=True)
class Manifest:
    """What `prefect.yaml` says, with its variables filled in."""

    deployments: list[dict[str, Any]]
    name: str = ROOT.name

    @property
    def first(self) -> dict[str, Any]:
        """The deployment that a command takes where none is named: the first in the file."""
        return self.deployments[0]

    def chosen(self, name: str | None) -> dict[str, Any]:
        """The deployment of that name, or the first one of the pipeline of that name.

        Raises:
            Problem: there is neither.
        """
        if name is None:
            return self.first
        for known in (lambda one: one["name"], named_package):
            if found := [one for one in self.deployments if known(one) == name]:
                return found[0]
        names = ", ".join(one["name"] for one in self.deployments)
        raise Problem(f"prefect.yaml has no deployment {name!r}. It has: {names}.")

    @property
    def pools(self) -> list[str]:
        """The work pools that the deployments name, each once."""
        return list(dict.fromkeys(one["work_pool"]["name"] for one in self.deployments))


def variables() -> dict[str, str]:
    """What `blueprint deploy` fills in: this project's interpreter, folder, mark and version."""
    return {
        "PROJECT_PYTHON": shlex.quote(sys.executable),
        "PROJECT_ROOT": str(ROOT),
        "PROJECT_ID": mark(),
        "PROJECT_VERSION": version(),
    }


def load(path: Path = PATH) -> Manifest:
    """The manifest, linted.

    Raises:
        Problem: it is missing or has faults; the message names all of them.
    """
    environment = {**os.environ, **variables()}
    raw = _read(path)
    if found := lint(raw, environment):
        listed = "\n".join(f"  - {fault}" for fault in found)
        raise Problem(f"{path.name} has faults; nothing was deployed:\n{listed}")
    filled = _fill(raw, environment)
    return Manifest(filled["deployments"], str(filled.get("name") or ROOT.name))


def faults(path: Path = PATH) -> list[str]:
    """All faults of the manifest, each a sentence; also that it is missing or no YAML."""
    try:
        return faults_of(_read(path))
    except Problem as problem:
        return [str(problem)]


def packages(path: Path = PATH) -> list[str]:
    """The pipelines that the manifest runs; of one that cannot be read, the first pipeline alone.

    Not linted, which needs Prefect, and Prefect the project's folder as the current one.
    """
    try:
        listed = _read(path)["deployments"]
        return packages_of(one for one in listed if isinstance(one, dict)) or [FIRST]
    except (Problem, TypeError, KeyError):
        return [FIRST]


def faults_of(raw: Any) -> list[str]:
    """All faults that a manifest of this content would have."""
    return lint(raw, {**os.environ, **variables()})


def filled(text: str) -> str:
    """A value of the manifest with its variables."""
    return _filled(text, {**os.environ, **variables()})


def _read(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        raise Problem(
            f"There is no {path}: bring it back with `git checkout {path.name}`."
        ) from None
    except yaml.YAMLError as error:
        raise Problem(f"{path.name} is not YAML: {error}") from None


def _fill(value: Any, environment: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _filled(value, environment)
    if isinstance(value, dict):
        return {key: _fill(item, environment) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, environment) for item in value]
    return value


def _filled(text: str, environment: Mapping[str, str]) -> str:
    """The text with its variables; one with others than this project's own is marked as such."""
    full = VARIABLE.sub(lambda match: environment[match[1]], text)
    names = [name for name in VARIABLE.findall(text) if name not in variables()]
    if not names:
        return full
    marked = Filled(full)
    marked.filled = tuple(environment[name] for name in names)
    return marked
