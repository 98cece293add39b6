"""The merge, in a scratch copy: copier does it, and what it would lose in silence is found here.

Three trees are compared, each as git holds it: what the template once made of the answers (old),
what is committed here (HEAD), and what the template makes of them now (new).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from blueprint import show
from blueprint.updating import answers, faults, git, threeway, tool, trees
from blueprint.updating.answers import Answers
from blueprint.updating.git import Repository
from blueprint.updating.trees import Change, Conflict


@dataclass
class Merge:
    """What came of it. folder: a repository with the merged files in its work tree.

    stays_deleted: deleted here, and changed in the template.
    """

    folder: Path
    before: Answers
    after: Answers
    changes: dict[str, Change] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)
    stays_deleted: list[str] = field(default_factory=list)


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
    show.doing(f"reading the template, {before.shown}, as it was at {before.commit}")
    old = new = _rendered(folder, scratch, before, "old")
    show.doing(
        f"merging what {'the answers change' if given else 'it has changed'} into what you have"
    )
    _update(folder, scratch, before, reference, given)
    after = answers.read(folder / answers.NAME)
    if (after.commit, after.values) != (before.commit, before.values):
        new = _rendered(folder, scratch, after, "new")
    settled = threeway.settle(folder, scratch, old, new, trees.written(folder))
    changes = trees.differences(folder, "HEAD", trees.written(folder))
    return Merge(folder, before, after, changes, settled.conflicts, settled.stays_deleted)


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


def _rendered(folder: Path, scratch: Path, known: Answers, name: str) -> str:
    """The tree that the template makes of the answers, at their version."""
    data, into = scratch / f"{name}.json", scratch / name
    # YAML, of which JSON is a part, is what copier reads.
    data.write_text(json.dumps(known.values, default=str), "utf-8")
    done = tool.copier(
        *(scratch, scratch, "copy", "--quiet", "--defaults", "--vcs-ref", known.commit),
        *("--data-file", data, known.source, into),
    )
    if done.returncode != 0:
        raise faults.explained(done.stderr, known, known.commit)
    index = {"GIT_INDEX_FILE": str(scratch / f"index-of-{name}"), "GIT_WORK_TREE": str(into)}
    return trees.written(into, GIT_DIR=str(folder / ".git"), **index)


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
