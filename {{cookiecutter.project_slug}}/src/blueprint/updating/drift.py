"""Answers that the files do not have any more, because somebody has edited them by hand."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from blueprint.checking.verdict import quoted
from runtime.project import ROOT


@dataclass(frozen=True)
class Drift:
    """An answer, and what the file says in its place. asked: what it shall become, if anything."""

    key: str
    place: str
    answer: Any
    there: Any
    asked: str = ""

    def as_answer(self) -> str:
        """What is typed to make the edit the answer."""
        return f"{self.key}={quoted(str(self.there))}"


def _first(text: str) -> Any:
    return yaml.safe_load(text)["deployments"][0]


_PLACES: dict[str, tuple[str, Callable[[str], Any]]] = {
    "work_pool_name": ("prefect.yaml", lambda text: _first(text)["work_pool"]["name"]),
    "schedule": ("prefect.yaml", lambda text: _first(text)["schedules"][0]["cron"]),
    "timezone": ("prefect.yaml", lambda text: _first(text)["schedules"][0]["timezone"]),
    "source_url": ("prefect.yaml", lambda text: _first(text)["parameters"]["source_url"]),
    "prefect_api_url": ("prefect.toml", lambda text: tomllib.loads(text)["api"]["url"]),
}
"""In which file an answer stands, and how it is read there."""


def found(
    values: Mapping[str, Any], asked: Mapping[str, str] | None = None, root: Path = ROOT
) -> list[Drift]:
    """The answers that their file has otherwise; with `asked`, of those the ones to be changed.

    A file that cannot be read so, because more of it was edited, tells nothing.
    """
    drifted = []
    for key, (place, read) in _PLACES.items():
        if key not in values or (asked is not None and key not in asked):
            continue
        try:
            there = read((root / place).read_text("utf-8"))
        except (OSError, ValueError, LookupError, TypeError, yaml.YAMLError):
            continue
        if isinstance(there, str) and there not in (values[key], (asked or {}).get(key)):
            drifted.append(Drift(key, place, values[key], there, (asked or {}).get(key, "")))
    return drifted
