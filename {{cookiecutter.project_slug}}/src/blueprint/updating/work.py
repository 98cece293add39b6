"""`blueprint update`, `blueprint update --check` and `blueprint reconfigure`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blueprint import show
from blueprint.checking.verdict import BLUEPRINT, quoted
from blueprint.processes import alone
from blueprint.project import STATE, Problem
from blueprint.updating import (
    afterwards,
    answers,
    bringing,
    drift,
    faults,
    merging,
    preflight,
    telling,
    tool,
)
from blueprint.updating.answers import Answers
from blueprint.updating.merging import Merge
from blueprint.updating.scratch import ends_cleanly, scratch_folder
from runtime.project import ROOT

BEHIND = 2
"""The exit code of --check where the template has a newer version."""
CURRENT = ":current:"
"""How copier calls the version of the template that the project is of."""


class Conflicting(Problem):
    """The merge has conflicts; only where they were asked for was anything brought in."""

    code = 3


class Stopped(Problem):
    """Somebody has stopped it when the files were in already."""

    def __init__(self, code: Any, wish: Wish) -> None:
        redeploy = f" && {BLUEPRINT} redeploy" * wish.redeploy
        super().__init__(
            "stopped, when the changes were staged already: `git diff --staged` shows them. What "
            f"was still to be done: python3 bootstrap.py{redeploy}"
        )
        self.code = code


@dataclass(frozen=True)
class Wish:
    """What is asked for. reference: the template's version, "" for the newest tag."""

    command: str
    given: Mapping[str, str]
    reference: str = ""
    keep_conflicts: bool = False
    redeploy: bool = False
    as_json: bool = False

    def again(self) -> str:
        """The command as it was typed."""
        words = [f"{key}={quoted(value)}" for key, value in self.given.items()]
        if self.command == "update" and self.reference:
            words.append(f"--vcs-ref={self.reference}")
        return " ".join([BLUEPRINT, self.command, *words, *(["--redeploy"] * self.redeploy)])


def update(pairs: Sequence[str], reference: str, keep_conflicts: bool, as_json: bool) -> None:
    """Merge a newer version of the template into the project.

    Raises:
        Problem: see `_change`.
    """
    show.quiet(as_json)
    show.heading("Update")
    before = _known()
    # Which questions the newer template asks is known once it is there.
    given = answers.asked(pairs, dict.fromkeys(one.partition("=")[0] for one in pairs))
    _change(before, Wish("update", given, reference, keep_conflicts, as_json=as_json))


def reconfigure(pairs: Sequence[str], keep_conflicts: bool, redeploy: bool, as_json: bool) -> None:
    """Change answers, and with them the files, at the same version of the template.

    Raises:
        Problem: see `_change`.
    """
    show.quiet(as_json)
    if not pairs:
        telling.present(as_json)
        return
    show.heading("Reconfigure")
    before = _known()
    given = answers.asked(pairs, before.values)
    if redeploy:
        afterwards.refuse_redeploy(given)
    wish = Wish("reconfigure", given, CURRENT, keep_conflicts, redeploy, as_json)
    _change(before, wish)


def check(as_json: bool) -> int:
    """Whether the template has a newer version: 0 no, 2 yes.

    Raises:
        Problem: that cannot be told, or the last update's conflicts are not resolved.
    """
    show.quiet(as_json)
    before = _known()
    STATE.mkdir(exist_ok=True)
    with ends_cleanly(), scratch_folder() as scratch:
        with alone():
            tool.ready()
        done = tool.copier(ROOT, scratch, "check-update", "--output-format", "json", ".")
    if done.returncode != 0:
        raise faults.explained(done.stderr, before, before.commit)
    told = json.loads(done.stdout.strip().splitlines()[-1])
    behind = bool(told["update_available"])
    if as_json:
        state = {"behind": behind, "version": before.commit, "newest": told["latest_version"]}
        show.data(json.dumps({**state, "template": before.shown}, indent=2))
    elif behind:
        show.line("behind", f"at {before.commit}; the template has {told['latest_version']}")
        show.ok(f"{BLUEPRINT} update merges it into what you have")
    else:
        show.ok(f"at {before.commit}: the template has nothing newer")
    return BEHIND if behind else 0


def _known() -> Answers:
    """The answers, once there is a repository that holds them."""
    repository = preflight.find()
    known = answers.read()
    answers.refuse_source(known.source)
    preflight.refuse_unfinished(repository)
    return known


def _change(before: Answers, wish: Wish) -> None:
    """Merge, bring in, and say or do what follows.

    Raises:
        Problem: something was not committed, the template or an answer is refused, or there are
            conflicts; nothing was changed then.
    """
    STATE.mkdir(exist_ok=True)
    with ends_cleanly(), scratch_folder() as scratch:
        with alone():
            merge, done = _brought(before, wish, scratch)
        if not done:
            _nothing_to_do(merge, wish)
            return
        try:
            _follow_up(merge, done, wish)
        except KeyboardInterrupt:
            raise Stopped(130, wish) from None
        except SystemExit as ended:
            if ended.code == Conflicting.code:
                raise
            raise Stopped(ended.code, wish) from None


def _brought(before: Answers, wish: Wish, scratch: Path) -> tuple[Merge, bringing.Brought | None]:
    """The merge, and what of it is in the work tree now; None where there was nothing to do."""
    repository = preflight.look()
    tool.ready()
    commit = repository.asked("rev-parse", "HEAD")
    try:
        merge = merging.merge(repository, before, scratch, wish.reference, wish.given)
    except faults.Older:
        if wish.reference or wish.given:
            raise
        merge = Merge(scratch, before, before)
    _refuse_answers(merge, wish)
    if not merge.changes and not merge.conflicts:
        return merge, None
    if merge.conflicts and not wish.keep_conflicts:
        if wish.as_json:
            telling.as_json(merge, None)
        drifted = drift.found(before.values, wish.given)
        raise Conflicting(telling.refused(merge, wish.again(), drifted))
    preflight.look()
    if repository.asked("rev-parse", "HEAD") != commit:
        raise Problem("Something was committed meanwhile; run this again.")
    return merge, bringing.bring(repository, merge)


def _follow_up(merge: Merge, done: bringing.Brought, wish: Wish) -> None:
    changed = afterwards.changed_answers(merge)
    moved = merge.before.commit != merge.after.commit
    done_with = "; ".join(f"{key}: {old} became {new}" for key, (old, new) in changed.items())
    message = f"Change {', '.join(changed)}"
    if moved or not changed:
        done_with = f"the template's {merge.before.commit} became {merge.after.commit}"
        message = f"Update the template to {merge.after.commit}"
    show.ok(done_with)
    telling.brought(merge, done)
    steps = afterwards.next_steps(changed)
    if moved and not steps:
        steps = [f"{BLUEPRINT} redeploy --dry-run    # does the server have to get something?"]
    if merge.conflicts:
        telling.conflicts(merge)
    first = afterwards.first_steps(changed, wish.again())
    telling.steps(first)
    telling.commit(message, not merge.conflicts)
    if wish.as_json:
        telling.as_json(merge, done, first=first[1:], then=steps)
    afterwards.sync(merge, done)
    if merge.conflicts:
        sys.exit(Conflicting.code)
    if wish.redeploy:
        afterwards.redeploy(changed)
    elif steps:
        telling.steps(["then, so that the server has it too:", *steps])


def _refuse_answers(merge: Merge, wish: Wish) -> None:
    """Raises Problem where copier has passed over an answer without a word."""
    answers.refuse_unknown(wish.given, merge.after.values)
    for key, (old, new) in afterwards.changed_answers(merge).items():
        if key not in wish.given:
            raise Problem(
                f"The template at {merge.after.commit} does not take {key}={quoted(str(old))} any "
                f"more, and would put {new!r} in its place. Nothing was changed. Say what it shall "
                f"be: {wish.again()} {key}=..."
            )


def _nothing_to_do(merge: Merge, wish: Wish) -> None:
    if wish.as_json:
        telling.as_json(merge, None)
    elif wish.command == "update":
        show.ok(f"at {merge.before.commit} already: there is nothing to bring in")
    else:
        show.ok("these are the answers already: there is nothing to change")
    if wish.redeploy:
        # The time before it may have failed, when the files were in already.
        afterwards.redeploy(wish.given)
