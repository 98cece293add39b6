"""Trees as git holds them: what differs between two, and the files of which nobody can say more."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blueprint.updating import git

State = tuple[str, str]
"""Mode and blob of a file; of none, zeros."""


@dataclass(frozen=True)
class Change:
    """What happened to a file between two trees: A added, M changed, D deleted."""

    kind: str
    old: State
    new: State


@dataclass(frozen=True)
class Conflict:
    """A file of which nobody but a person can say what becomes of it.

    stages: mode and blob of what the template once had, of what is here, and of what it has now.
    """

    path: str
    why: str
    stages: tuple[State | None, State | None, State | None]


def written(folder: Path, **more: Any) -> str:
    """The tree of all the files in a folder. more: variables for git."""
    git.git(folder, "add", "--all", "--force", ".", plain=True, **more)
    return git.git(folder, "write-tree", plain=True, **more).decode().strip()


def differences(folder: Path, old: str, new: str) -> dict[str, Change]:
    """What happened between two trees of a folder's repository, by path."""
    listed = git.names(
        git.git(folder, "diff-tree", "-r", "-z", "--no-renames", old, new, plain=True)
    )
    changes = {}
    for head, path in zip(listed[::2], listed[1::2], strict=True):
        old_mode, new_mode, old_blob, new_blob, kind = head[1:].split()
        kind = "M" if kind == "T" else kind
        changes[path] = Change(kind, (old_mode, old_blob), (new_mode, new_blob))
    return changes


def content(folder: Path, state: State | None) -> bytes:
    """What a file holds; of none, nothing."""
    if state is None:
        return b""
    return git.git(folder, "cat-file", "blob", state[1], plain=True)


def path_of(folder: Path, name: str) -> Path:
    """A file by the name that git has for it."""
    return Path(os.path.join(folder, *name.split("/")))  # noqa: PTH118


def merged_text(scratch: Path, mine: bytes, old: bytes, new: bytes) -> tuple[bytes, bool] | None:
    """What `git merge-file` makes of three texts, and whether without a conflict; None: no texts.

    The marks of a conflict are those that copier writes.
    """
    names = ("mine", "old", "new")
    for name, text in zip(names, (mine, old, new), strict=True):
        (scratch / f"text-{name}").write_bytes(text)
    labels = ("-L", "before updating", "-L", "last update", "-L", "after updating")
    files = [f"text-{name}" for name in names]
    done = git.run(scratch, "merge-file", "-p", *labels, *files, plain=True)
    # More than 127 conflicts are counted as 127; whatever is above is a failure.
    return (done.stdout, done.returncode == 0) if 0 <= done.returncode <= 127 else None
