"""What becomes of a file that was changed here and in the template: what git's own merge says.

copier replays an edit by the lines around it, and such lines may stand in another place too. So
where it has made anything else of a file than git does, that is a conflict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from blueprint.updating import answers, git, trees
from blueprint.updating.trees import Change, Conflict, State

BOTH = "changed here and in the template, at the same place"
GONE = "edited here, and no longer in the template: deleted there, or renamed"
REMOVED = "added here, in a folder that the template has no longer"
DOUBTFUL = "changed here and in the template, and it is not certain where your lines belong"
NO_TEXT = (
    "changed here and in the template, and nothing whose lines could be merged: yours stays, and "
    "`git checkout --theirs` takes the template's"
)


@dataclass
class Settled:
    """What came of it. stays_deleted: deleted here, and changed in the template."""

    conflicts: list[Conflict] = field(default_factory=list)
    stays_deleted: list[str] = field(default_factory=list)


def settle(folder: Path, scratch: Path, old: str, new: str, merged: str) -> Settled:
    """Have the folder's files be what the merge of each says; a conflict has its marks.

    Args:
        folder: a repository whose commit is what is here, with copier's result in its work tree.
        scratch: a folder for drafts.
        old, new: the trees that the template made of the answers, then and now.
        merged: copier's result as a tree.
    """
    theirs = trees.differences(folder, old, new)
    changes = trees.differences(folder, "HEAD", merged)
    settled = Settled()
    for path, edit in sorted(trees.differences(folder, old, "HEAD").items()):
        if path == answers.NAME:
            continue
        if edit.kind == "D":
            if path in theirs and theirs[path].kind != "D":
                settled.stays_deleted.append(path)
                if path in changes:
                    trees.path_of(folder, path).unlink(missing_ok=True)
        elif conflict := _settled(folder, scratch, path, edit, theirs, changes):
            settled.conflicts.append(conflict)
    return settled


def _settled(
    folder: Path,
    scratch: Path,
    path: str,
    edit: Change,
    theirs: Mapping[str, Change],
    changes: Mapping[str, Change],
) -> Conflict | None:
    """Settle a file that was edited or added here."""
    old = edit.old if edit.kind == "M" else None
    change, their = changes.get(path), theirs.get(path)
    if their and their.kind == "D":
        return Conflict(path, GONE, (old, edit.new, None))
    if change and change.kind == "D" and not their and not old:
        return Conflict(path, REMOVED, (None, edit.new, None))
    if not their or their.new == edit.new:
        if change:
            _keep(folder, path)
        return None
    stages = (old, edit.new, their.new)
    if not all(state is None or state[0].startswith("100") for state in stages):
        _keep(folder, path)
        return Conflict(path, NO_TEXT, stages)
    why = _merge_text(folder, scratch, path, stages, change.new if change else edit.new)
    return Conflict(path, why, stages) if why else None


def _merge_text(
    folder: Path,
    scratch: Path,
    path: str,
    stages: tuple[State | None, State, State],
    copiers: State,
) -> str:
    """Write what git's merge makes of a file; returns why that is a conflict, or nothing."""
    old, mine, their = stages
    if old and mine[1] == old[1]:
        text, why = trees.content(folder, their), ""
    elif (old and their[1] == old[1]) or mine[1] == their[1]:
        text, why = trees.content(folder, mine), ""
    else:
        made = trees.merged_text(
            scratch, *(trees.content(folder, one) for one in (mine, old, their))
        )
        if made is None:
            _keep(folder, path)
            return NO_TEXT
        text, clean = made
        why = BOTH
        if clean:
            why = "" if text == trees.content(folder, copiers) else DOUBTFUL
    _keep(folder, path)
    file = trees.path_of(folder, path)
    file.write_bytes(text)
    mode = their[0] if old and mine[0] == old[0] else mine[0]
    file.chmod(0o755 if mode == "100755" else 0o644)
    return why


def _keep(folder: Path, path: str) -> None:
    """Have the file be as it is here."""
    git.git(folder, "checkout", "HEAD", "--", f":(literal){path}", plain=True)
