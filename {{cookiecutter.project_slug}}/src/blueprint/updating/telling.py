"""What a person is told of an update: what changed, what is in conflict, what to type next."""

from __future__ import annotations

import json
from typing import Any

from blueprint import show
from blueprint.checking.verdict import BLUEPRINT
from blueprint.updating import answers, drift, preflight
from blueprint.updating.answers import FROZEN, NAME, Answers
from blueprint.updating.bringing import Brought
from blueprint.updating.drift import Drift
from blueprint.updating.merging import Merge

_SHOWN = 30


def present(as_json: bool) -> None:
    """Show the answers, and where a file says otherwise by now."""
    if not answers.PATH.is_file():
        preflight.find()
    known = answers.read()
    drifted = {one.key: one for one in drift.found(known.values)}
    if as_json:
        found = {key: one.there for key, one in drifted.items()}
        told = {"template": known.shown, "version": known.commit, "answers": known.values}
        show.data(json.dumps({**told, "edited": found}, indent=2))
        return
    show.heading(f"Answers ({known.shown}, {known.commit})")
    frozen = {key: value for key, value in known.values.items() if key in FROZEN}
    rows = [(key, value, "stays as it is") for key, value in frozen.items()]
    for key, value in known.open.items():
        one = drifted.get(key)
        rows.append((key, value, f"{one.place} says {one.there!r}" if one else ""))
    show.table(("question", "answer", ""), rows)
    for one in drifted.values():
        show.warn(
            f"{one.key} was edited by hand. To take the edit over as the answer: "
            f"{BLUEPRINT} reconfigure {one.as_answer()}"
        )
    show.ok(f"to change one: {BLUEPRINT} reconfigure schedule='30 6 * * MON-FRI' timezone=UTC")


def refused(merge: Merge, again: str, drifted: list[Drift]) -> str:
    """That nothing was changed, where the conflicts are, and what can be done."""
    listed = "\n".join(f"  - {one.path}: {one.why}" for one in merge.conflicts)
    lines = [f"Nothing was changed: {_many(len(merge.conflicts), 'file')} in conflict.", listed]
    for one in drifted:
        lines += [
            f"{one.place} says {one.key} {one.there!r}, written there by hand since {one.answer!r} "
            f"was answered, and now {one.asked!r} is asked for. Either take the edit over as the "
            "answer first, which meets no conflict:",
            f"    {BLUEPRINT} reconfigure {one.as_answer()} && git commit -m 'Take {one.key} over'",
            "and run this again. Or:",
        ]
    lines += [
        "Bring it in with the conflicts marked, edit these files, `git add` each, and commit:",
        f"    {again} --keep-conflicts",
    ]
    return "\n".join(lines)


def brought(merge: Merge, done: Brought) -> None:
    """What is in the work tree now."""
    for state, paths in (("added", done.added), ("changed", done.changed)):
        _list(state, paths)
    _list("deleted", done.deleted)
    for path in merge.stays_deleted:
        show.warn(f"{path}: stays deleted, and the template has changed it")
    for path in done.kept:
        show.warn(
            f"{path}: the template has such a file now, where one of yours stands that git ignores; "
            "yours was kept, and the template's left out"
        )
    for path in done.shown:
        show.warn(
            f"{path}: git ignored it, and the newer .gitignore does not: it was left as it is"
        )
    for line in answered(merge.before, merge.after):
        show.warn(line)


def answered(before: Answers, after: Answers) -> list[str]:
    """Questions that the newer template has, or has no longer."""
    told = []
    for key, value in after.values.items():
        if key not in before.values and key not in FROZEN:
            told.append(
                f"a new question, {key}, has its default: {value!r}. "
                f"Another answer: {BLUEPRINT} reconfigure {key}=..."
            )
    for key, value in before.values.items():
        if key not in after.values:
            told.append(f"the question {key} is gone, and with it your answer {value!r}")
    return told


def conflicts(merge: Merge) -> None:
    """What was brought in with a conflict, and how it is resolved."""
    for one in merge.conflicts:
        show.warn(f"conflict: {one.path}: {one.why}")
    show.ok(
        "resolve each: edit it, `git add` it (or `git rm` it, where it shall go); then git commit"
    )


def commit(message: str, whole: bool) -> None:
    """The commands to review, keep, or give up what was brought in."""
    show.ok("the changes are staged, and not committed:")
    typed("git diff --staged    # what has changed")
    if whole:
        typed(f'git commit -m "{message}"')
    typed("git restore --staged --worktree .    # or: give it up")


def steps(told: list[str]) -> None:
    """What a person may type next, below the reason why."""
    for number, one in enumerate(told):
        if number:
            typed(one)
        else:
            show.ok(one)


def typed(command: str) -> None:
    """What a person may type next."""
    show.console.print(f"    {command}")


def as_json(merge: Merge | None, done: Brought | None, **more: Any) -> None:
    """The same for a program."""
    found: dict[str, Any] = {"changed": bool(done), **more}
    if merge:
        found |= {
            "from": merge.before.commit,
            "to": merge.after.commit,
            "answers": merge.after.values,
            "conflicts": [{"path": one.path, "why": one.why} for one in merge.conflicts],
            "stays_deleted": merge.stays_deleted,
            "notes": answered(merge.before, merge.after),
        }
    if done:
        found |= {"files": vars(done)}
    show.data(json.dumps(found, indent=2))


def _list(state: str, paths: list[str]) -> None:
    for path in paths[:_SHOWN]:
        if path != NAME:
            show.line(state, path)
    if len(paths) > _SHOWN:
        show.line(state, f"... and {len(paths) - _SHOWN} more: git diff --staged --stat")


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
