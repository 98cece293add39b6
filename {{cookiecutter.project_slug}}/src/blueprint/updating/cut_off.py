"""Knows of an update that was killed while its result was brought in, and of what it had staged."""

from __future__ import annotations

import json

from blueprint.project import STATE
from blueprint.updating import indexing
from blueprint.updating.git import Repository
from blueprint.updating.indexing import Entries

PATH = STATE / "update-under-way"
"""There while the result of a merge is brought in; left behind where that was killed."""


def begin(repository: Repository, entries: Entries) -> None:
    """Note what is about to be staged, before anything is."""
    STATE.mkdir(exist_ok=True)
    head = repository.asked("rev-parse", "HEAD")
    PATH.write_text(json.dumps({"head": head, "entries": entries}), "utf-8")


def end() -> None:
    """Nothing is left of it."""
    PATH.unlink(missing_ok=True)


def left(repository: Repository) -> list[str]:
    """The project's files that are staged still as it has left them: nobody has committed since.

    The index was written at once and first, so a file that it has otherwise now was put back.
    """
    try:
        told = json.loads(PATH.read_text("utf-8"))
    except (OSError, ValueError):  # cut off before it had staged anything
        return []
    if told["head"] != repository.asked("rev-parse", "HEAD"):
        return []
    now = indexing.held(repository, told["entries"])
    return [
        path.removeprefix(repository.folder)
        for path, entries in told["entries"].items()
        if now[path] == entries
    ]
