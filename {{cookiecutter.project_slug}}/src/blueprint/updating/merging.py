"""The merge, in a scratch copy: copier does it, and what it would lose in silence is found here.

Three trees are compared, each as git holds it: what the template once made of the answers (old),
what is committed here (mine), and what copier has made of both and of the newer template (merged).
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from blueprint import show
from blueprint.updating import answers, faults, git, preflight, tool
from blueprint.updating.answers import Answers
from blueprint.updating.git import Repository

BOTH = "changed here and in the template, at the same place"
GONE = "edited here, and no longer in the template: deleted there, or renamed"
REMOVED = "added here, in a folder that the template has no longer"
LOST = "changed here and in the template, and what you wrote did not come through"


@dataclass(frozen=True)
class Change:
    """What happened to a file between two trees: A added, M changed, D deleted."""

    kind: str
    old: tuple[str, str]
    new: tuple[str, str]
    """Mode and blob; of none, zeros."""


@dataclass(frozen=True)
class Conflict:
    """A file of which nobody but a person can say what becomes of it.

    stages: mode and blob of what the template once had, of what is here, and of what it has now.
    """

    path: str
    why: str
    stages: tuple[tuple[str, str] | None, tuple[str, str] | None, tuple[str, str] | None]


@dataclass
class Merge:
    """What came of it. folder: a repository with the merged files in its work tree."""

    folder: Path
    before: Answers
    after: Answers
    changes: dict[str, Change] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)


def merge(
    repository: Repository, before: Answers, scratch: Path, reference: str, given: Mapping[str, str]
) -> Merge:
    """Merge what is committed with a version of the template, or with other answers.

    Args:
        repository: where the project is committed.
        before: its answers.
        scratch: an empty folder.
        reference: the template's version as copier names it; "" for the newest tag.
        given: answers to change.

    Raises:
        Problem: the template cannot be had, or an answer is refused by its rules.
    """
    folder = _copy(repository, scratch)
    show.doing(f"reading the template, {before.source}, as it was at {before.commit}")
    old = _rendered(folder, scratch, before)
    show.doing(
        f"merging what {'the answers change' if given else 'it has changed'} into what you have"
    )
    _update(folder, scratch, before, reference, given)
    stages = _unmerged(folder)
    git.git(folder, "add", "--all", "--force", ".", plain=True)
    merged = git.git(folder, "write-tree", plain=True).decode().strip()
    mine = _differences(folder, old, "HEAD")
    done = Merge(folder, before, answers.read(folder / answers.NAME))
    done.changes = _differences(folder, "HEAD", merged)
    done.conflicts = _conflicts(folder, mine, done.changes, stages)
    return done


def _copy(repository: Repository, scratch: Path) -> Path:
    """A repository of its own, whose only commit is the project as it is committed.

    Only that commit is looked at, so it is all the same how much history this clone has, and
    whether the project is the repository or a folder of it.
    """
    folder = scratch / "project"
    folder.mkdir()
    place = repository.git("rev-parse", "--absolute-git-dir").decode().strip()
    index = {"GIT_INDEX_FILE": str(scratch / "index")}
    here = ("-c", "core.sparseCheckout=false", f"--git-dir={place}", f"--work-tree={folder}")
    git.git(folder, *here, "read-tree", f"HEAD:{repository.folder}", plain=True, **index)
    git.git(folder, *here, "checkout-index", "--all", "--quiet", plain=True, **index)
    git.git(folder, "init", "--quiet", plain=True)
    for words in (("add", "--all", "--force", "."), ("commit", "--quiet", "-m", "mine")):
        git.git(folder, *words, plain=True)
    return folder


def _rendered(folder: Path, scratch: Path, before: Answers) -> str:
    """The tree that the template once made of the answers."""
    data, into = scratch / "old.json", scratch / "old"
    # YAML, of which JSON is a part, is what copier reads.
    data.write_text(json.dumps(before.values, default=str), "utf-8")
    done = tool.copier(
        *(scratch, scratch, "copy", "--quiet", "--defaults", "--vcs-ref", before.commit),
        *("--data-file", data, before.source, into),
    )
    if done.returncode != 0:
        raise faults.explained(done.stderr, before, before.commit)
    index = {"GIT_INDEX_FILE": str(scratch / "index-of-old"), "GIT_WORK_TREE": str(into)}
    index["GIT_DIR"] = str(folder / ".git")
    git.git(into, "add", "--all", "--force", ".", plain=True, **index)
    return git.git(into, "write-tree", plain=True, **index).decode().strip()


def _update(
    folder: Path, scratch: Path, before: Answers, reference: str, given: Mapping[str, str]
) -> None:
    """Let copier merge; all answers that its rules refuse are told at once."""
    wrong: dict[str, str] = {}
    data = scratch / "given.json"
    while True:
        left = {key: value for key, value in given.items() if key not in wrong}
        data.write_text(json.dumps(left), "utf-8")
        at = ["--vcs-ref", reference] if reference else []
        done = tool.copier(
            folder, scratch, "update", "--quiet", "--defaults", *at, "--data-file", data
        )
        refused = faults.refused_answer(done.stderr)
        if done.returncode == 0 or not refused or refused[0] not in left:
            break
        wrong[refused[0]] = refused[1]
    if wrong:
        raise faults.refused({key: given[key] for key in wrong}, wrong)
    if done.returncode != 0:
        raise faults.explained(done.stderr, before, reference)
    faults.refuse_draft(done.stderr, before)


def _unmerged(folder: Path) -> dict[str, dict[int, tuple[str, str]]]:
    """The files that copier has marked as in conflict: by stage, mode and blob."""
    found: dict[str, dict[int, tuple[str, str]]] = {}
    for line in git.names(git.git(folder, "ls-files", "--unmerged", "-z", plain=True)):
        head, path = line.split("\t", 1)
        mode, blob, stage = head.split()
        found.setdefault(path, {})[int(stage)] = (mode, blob)
    return found


def _differences(folder: Path, old: str, new: str) -> dict[str, Change]:
    listed = git.names(
        git.git(folder, "diff-tree", "-r", "-z", "--no-renames", old, new, plain=True)
    )
    changes = {}
    for head, path in zip(listed[::2], listed[1::2], strict=True):
        old_mode, new_mode, old_blob, new_blob, kind = head[1:].split()
        kind = "M" if kind == "T" else kind
        changes[path] = Change(kind, (old_mode, old_blob), (new_mode, new_blob))
    return changes


def _conflicts(
    folder: Path,
    mine: Mapping[str, Change],
    changes: Mapping[str, Change],
    stages: Mapping[str, Mapping[int, tuple[str, str]]],
) -> list[Conflict]:
    found = {
        path: Conflict(
            path,
            BOTH,
            (stage.get(1), stage.get(2), stage.get(3)),
        )
        for path, stage in stages.items()
    }
    for path, change in changes.items():
        edit = mine.get(path)
        if not edit or edit.kind == "D" or path in found or path == answers.NAME:
            continue
        old = edit.old if edit.kind == "M" else None
        if change.kind == "D":
            found[path] = Conflict(path, GONE if old else REMOVED, (old, change.old, None))
        elif _is_marked(folder, change):
            found[path] = Conflict(path, BOTH, (old, change.old, change.new))
        elif _is_lost(folder, edit, change):
            found[path] = Conflict(path, LOST, (old, change.old, change.new))
    return [found[path] for path in sorted(found)]


def _is_marked(folder: Path, change: Change) -> bool:
    """Whether copier has left the marks of a conflict that were not there before."""
    mark = preflight.MARKER.encode()
    lines = [line.rstrip() for line in _lines(folder, change.new)]
    return mark in lines and mark not in [line.rstrip() for line in _lines(folder, change.old)]


def _is_lost(folder: Path, edit: Change, change: Change) -> bool:
    """Whether lines that were written here are not in what came of the merge."""
    wrote = Counter(_lines(folder, edit.new)) - Counter(_lines(folder, edit.old))
    missing = wrote - Counter(_lines(folder, change.new))
    return any(line.strip() for line in missing)


def _lines(folder: Path, state: tuple[str, str]) -> list[bytes]:
    if state[0] == "000000":
        return []
    return git.git(folder, "cat-file", "blob", state[1], plain=True).split(b"\n")


def path_of(folder: Path, name: str) -> Path:
    """A file by the name that git has for it."""
    return Path(os.path.join(folder, *name.split("/")))  # noqa: PTH118
