"""Brings the result of a merge into the project: all of it, or nothing.

The index is written first, so that also after a kill `git restore --staged --worktree .` takes
back whatever was written until then.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from blueprint.project import Problem
from blueprint.updating import cut_off, git, indexing, trees
from blueprint.updating.git import Repository
from blueprint.updating.indexing import Entries
from blueprint.updating.merging import Merge
from blueprint.updating.trees import State, path_of
from blueprint.updating.writing import Written
from runtime.project import ROOT


@dataclass
class Brought:
    """What is in the work tree now, by path; what stands there already is kept.

    kept: the template has one now where an ignored file of this project stands.
    shown: what git ignored and ignores no longer.
    """

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)


def bring(repository: Repository, merge: Merge) -> Brought:
    """Write the merged files into the project and into git's index.

    A conflict comes with its marks, and as one that git knows of.

    Raises:
        Problem: a file cannot be written; then all is as it was.
    """
    brought = _planned(merge)
    written = Written(repository)
    entries = _objects_and_entries(repository, merge, brought)
    cut_off.begin(repository, entries)
    failed: list[str] = []
    try:
        written.index(entries)
        for path in brought.deleted:
            written.without(path_of(ROOT, path))
        for path in (*brought.added, *brought.changed):
            written.file(path_of(ROOT, path), path_of(merge.folder, path))
        indexing.refresh(repository)
    except BaseException as error:
        failed = written.undo()
        if failed:
            listed = "\n".join(f"  - {one}" for one in failed)
            raise Problem(
                f"The result could not be written: {error or 'it was stopped'}\n"
                f"And these could not be put back as they were:\n{listed}\n"
                "Once that is mended, the same command says how to get them back."
            ) from None
        if isinstance(error, OSError):
            raise Problem(
                f"The result could not be written: {error}\nAll is as it was before."
            ) from None
        raise
    finally:
        if not failed:
            cut_off.end()
    brought.shown = _unknown_to_git(repository)
    return brought


def _planned(merge: Merge) -> Brought:
    """What is to be written. A conflict about a file that is to go leaves it as it is."""
    stay = {one.path for one in merge.conflicts if one.stages[2] is None}
    gone = {path_of(ROOT, path) for path, one in merge.changes.items() if one.kind == "D"}
    brought = Brought()
    for path, change in sorted(merge.changes.items()):
        if path in stay:
            continue
        if change.kind == "A" and _in_the_way(path_of(ROOT, path), gone):
            brought.kept.append(path)
        else:
            where = {"A": brought.added, "M": brought.changed, "D": brought.deleted}
            where[change.kind].append(path)
    return brought


def _in_the_way(path: Path, gone: set[Path]) -> bool:
    """Whether something stands there that git does not know; or a file where a folder has to be.

    gone: what will have been deleted by then.
    """
    if path.is_dir() and not path.is_symlink():
        return any(one not in gone for one in path.rglob("*") if one.is_symlink() or one.is_file())
    # Where a disk does not tell cases apart, what is renamed to another case is there already.
    alike = [one for one in gone if str(one).casefold() == str(path).casefold()]
    if any(os.path.lexists(one) and _same(one, path) for one in alike):
        return False
    above = [one for one in path.parents if one != ROOT and one.is_relative_to(ROOT)]
    return os.path.lexists(path) or any(
        os.path.lexists(one) and one not in gone and (one.is_symlink() or not one.is_dir())
        for one in above
    )


def _same(one: Path, other: Path) -> bool:
    return os.path.lexists(other) and os.path.samestat(one.lstat(), other.lstat())


def _unknown_to_git(repository: Repository) -> list[str]:
    """What is neither tracked nor ignored: before an update there was nothing of the kind."""
    here = f":(literal){repository.folder}" if repository.folder else "."
    folders = ("--directory", "--no-empty-directory")
    listed = repository.git(
        "ls-files", "-z", "--others", "--exclude-standard", *folders, "--", here
    )
    return [one.removeprefix(repository.folder) for one in git.names(listed)]


def _objects_and_entries(repository: Repository, merge: Merge, brought: Brought) -> Entries:
    """Put the new blobs into the project's repository; gives what its index shall say.

    Nothing there refers to them until the index does, so a failure leaves no trace but these.
    """
    states: dict[str, list[tuple[State, int]]] = {}
    in_conflict = {one.path for one in merge.conflicts}
    for path in (*brought.deleted, *brought.added, *brought.changed):
        if path not in in_conflict:
            change = merge.changes[path]
            states[path] = [] if change.kind == "D" else [(change.new, 0)]
    for one in merge.conflicts:
        if one.path not in brought.kept:
            staged = enumerate(one.stages, start=1)
            states[one.path] = [(state, stage) for stage, state in staged if state]
    blobs = {state[1] for held in states.values() for state, _ in held}
    if blobs:
        feed = "\n".join(sorted(blobs)).encode()
        pack = git.git(merge.folder, "pack-objects", "--stdout", "-q", feed=feed, plain=True)
        repository.git("unpack-objects", "-q", feed=pack)
    cleaned = indexing.filtered(repository, {f"{repository.folder}{path}" for path in states})
    entries: Entries = {}
    for path, held in states.items():
        place = f"{repository.folder}{path}"
        entries[place] = []
        for (mode, blob), stage in held:
            if place in cleaned and mode.startswith("100"):
                blob = _cleaned(repository, place, trees.content(merge.folder, (mode, blob)))
            entries[place].append(f"{mode} {blob} {stage}")
    return entries


def _cleaned(repository: Repository, place: str, text: bytes) -> str:
    """The blob that the project's own filter makes of a text: encrypted, for example."""
    made = repository.git("hash-object", "-w", "--stdin", f"--path={place}", feed=text)
    return made.decode().strip()
