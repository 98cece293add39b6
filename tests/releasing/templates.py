"""Histories of a template that is nothing but its three files with a version."""

from __future__ import annotations

from pathlib import Path

import histories
from versions import CHANGELOG, PROJECT, QUESTIONS

QUESTIONS_TEXT = (
    '{{\n  "project_name": "x",\n  "_template_version": "{}",\n  "__prompts__": {{}}\n}}\n'
)
# Tags that copier takes for a version and nobody released, and one that it does not.
STRAYS = ("v0.3", "1.0.0", "v2.0.0.post1", "0.1.0", "last-good")
PROJECT_TEXT = '[project]\nname = "x"\nversion = "{}"\n'


def write(folder: Path, version: str, *told: str) -> None:
    """The three files, with a section for each of these versions."""
    (folder / QUESTIONS).write_text(QUESTIONS_TEXT.format(version), "utf-8")
    (folder / PROJECT).write_text(PROJECT_TEXT.format(version), "utf-8")
    parts = [f"## {one}\n\nWhat {one} brings.\n" for one in told]
    (folder / CHANGELOG).write_text("\n".join(["# Changelog\n", *parts]), "utf-8")


def git(folder: Path, *arguments: str) -> str:
    """What git prints, less the white space around it."""
    return histories.git(folder, *arguments).strip()
