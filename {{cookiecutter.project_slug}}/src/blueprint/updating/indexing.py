"""Git's index: what it says of some files, and having it say something else of them, at once."""

from __future__ import annotations

import os
from collections.abc import Collection

from blueprint.updating import git
from blueprint.updating.git import Repository

Entries = dict[str, list[str]]
"""By path in the repository: "mode blob stage" of each entry. None: the index has no such file."""
_GONE = f"0 {'0' * 40}"


def held(repository: Repository, paths: Collection[str]) -> Entries:
    """What the index says of these."""
    found: Entries = {path: [] for path in paths}
    for line in git.names(repository.git("ls-files", "--stage", "-z")):
        entry, path = line.split("\t", 1)
        if path in found:
            found[path].append(entry)
    return found


def put(repository: Repository, entries: Entries) -> None:
    """Have the index say this, and of every other file what it says already."""
    lines = []
    for path, states in entries.items():
        lines += [f"{_GONE}\t{path}", *(f"{state}\t{path}" for state in states)]
    feed = b"".join(os.fsencode(line) + b"\0" for line in lines)
    repository.git("update-index", "-z", "--index-info", feed=feed)


def refresh(repository: Repository) -> None:
    """Have git look at the files again, so that an unchanged one does not seem changed."""
    repository.asked("update-index", "-q", "--refresh")


def filtered(repository: Repository, paths: Collection[str]) -> set[str]:
    """Those of which git holds something else than the folder, since a filter changes them."""
    feed = b"".join(os.fsencode(path) + b"\0" for path in paths)
    told = git.names(repository.git("check-attr", "-z", "--stdin", "filter", feed=feed))
    return {
        path
        for path, value in zip(told[::3], told[2::3], strict=True)
        if value not in ("unspecified", "unset", "set")
        and repository.asked("config", "--get-regexp", rf"^filter\.{value}\.(clean|process)$")
    }
