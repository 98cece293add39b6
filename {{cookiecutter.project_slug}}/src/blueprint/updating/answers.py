"""The answers that the project was stamped with: `.copier-answers.yml`, and what is asked anew."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from blueprint.project import Problem
from blueprint.updating import git
from runtime.project import ROOT

NAME = ".copier-answers.yml"
PATH = ROOT / NAME
FROZEN = {
    "project_name": "it is the flow's name: the server would hold the old flow with its runs and "
    "its deployment, whose schedule goes on, beside the new one",
    "project_slug": "it is the name of the package and of the folder, and a tag of the deployment",
}
"""What cannot change once a project is stamped, and why."""
_UNUSED = "create_venv"
"""Counts only while a project is stamped."""
_WEB = re.compile(r"(gh:|gl:|git@|git://|git\+|ssh://|https?://)")


@dataclass(frozen=True)
class Answers:
    """What `.copier-answers.yml` says.

    source: where the template is. commit: of which version. values: the answers by their keys.
    """

    source: str
    commit: str
    values: dict[str, Any]

    @property
    def shown(self) -> str:
        """The template's address, without who may read it."""
        return git.without_secrets(self.source)

    @property
    def open(self) -> dict[str, Any]:
        """The answers that can change."""
        return {
            key: value for key, value in self.values.items() if key not in FROZEN and key != _UNUSED
        }


def read(path: Path = PATH) -> Answers:
    """The project's answers.

    Raises:
        Problem: the file is no YAML, or does not say what it must.
    """
    try:
        raw = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Problem(f"{NAME} is not YAML: {_short(error)}\n{_bring_back()}") from None
    if not isinstance(raw, dict):
        raise Problem(f"{NAME} holds no answers.\n{_bring_back()}")
    for key, what in (
        ("_src_path", "where its template is"),
        ("_commit", "of which version it is"),
    ):
        if not isinstance(raw.get(key), str) or not raw[key].strip():
            raise Problem(
                f"{NAME} does not say {what}: the line `{key}: ...` is missing or empty.\n"
                f"{_bring_back()}"
            )
    values = {key: value for key, value in raw.items() if not str(key).startswith("_")}
    return Answers(raw["_src_path"].strip(), raw["_commit"].strip(), values)


def refuse_source(source: str) -> None:
    """Raises Problem where the template's address leads to nothing that copier can read."""
    shown = git.without_secrets(source)
    if source.startswith("file://"):
        raise Problem(
            f"{NAME} says `_src_path: {shown}`, which copier cannot read: write git+{shown}, "
            "and commit that."
        )
    if _WEB.match(source):
        return
    path = Path(source).expanduser()
    if not path.is_absolute():
        raise Problem(
            f"The template's address in {NAME}, `_src_path: {shown}`, is relative, and nobody "
            "knows to which folder. Write the whole path, or the address of its repository "
            "(gh:owner/name, https://...git), and commit that."
        )
    if not path.exists():
        raise Problem(
            f"The template is not at {shown}, where {NAME} has it (`_src_path`). Has it moved? "
            "Write its new place there, or the address of its repository, and commit that."
        )
    if path.is_dir() and not source.endswith(".git"):
        top = git.run(path, "rev-parse", "--show-toplevel").stdout
        if Path(os.fsdecode(top).rstrip("\n") or "/").resolve() != path.resolve():
            raise Problem(no_repository(shown))


def no_repository(source: str) -> str:
    """What is told of a template's address that leads to no repository."""
    return (
        f"{source} is no git repository that copier knows as one, and an update goes by the "
        f"template's history. Write the address of its repository into {NAME} (`_src_path`: "
        "gh:owner/name, git+https://..., or the path of a clone with its tags), and commit that."
    )


def asked(pairs: Sequence[str], known: Mapping[str, Any]) -> dict[str, str]:
    """`key=value` pairs as a mapping.

    Raises:
        Problem: one is no such pair, comes twice, or is of a key that is frozen or unknown.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        key = key.strip().replace("-", "_")
        if not equals or not key:
            raise Problem(
                f"An answer is key=value, not {pair!r}; for example: schedule='30 6 * * MON-FRI'"
            )
        if key in found:
            raise Problem(f"{key} is given twice.")
        if key in FROZEN:
            raise Problem(
                f"{key} does not change once a project is stamped: {FROZEN[key]}.\n"
                "Stamp a new project under the new name, move src/data_pipeline/ there, and remove "
                "the old one from the server with `blueprint cleanup`."
            )
        if key == _UNUSED:
            raise Problem(f"{key} counted when the project was stamped; it changes nothing now.")
        found[key] = value
    refuse_unknown(found, known)
    return found


def refuse_unknown(given: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Raises Problem for a key that no question of the template has, naming those that do."""
    if unknown := [key for key in given if key not in known]:
        listed = ", ".join(key for key in known if key not in FROZEN and key != _UNUSED)
        raise Problem(
            f"The template has no question {', '.join(map(repr, unknown))}; mistyped? "
            f"It has: {listed}"
        )


def _bring_back() -> str:
    return (
        "`git log -p .copier-answers.yml` shows what it was; `git checkout <commit> -- "
        ".copier-answers.yml` brings it back."
    )


def _short(error: Exception) -> str:
    return " ".join(str(error).split())
