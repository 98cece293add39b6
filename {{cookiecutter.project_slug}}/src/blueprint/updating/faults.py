"""What copier and git say of a failure, in words that say what to do about it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from blueprint.project import Problem
from blueprint.updating import git
from blueprint.updating.answers import NAME, Answers, no_repository

_REFUSED = re.compile(
    r"(?:Validation error for question|ValueError: Invalid choice for) '(\w+)': (.*)", re.DOTALL
)
_FROM_GIT = re.compile(r"^(?:Stderr:)?[\s|]*((?:fatal|error|ssh|ERROR): .*)$", re.MULTILINE)


class Older(Problem):
    """What was asked for is older than what is here."""


def refused_answer(said: str) -> tuple[str, str] | None:
    """Which answer its rule refuses, and the rule's words."""
    found = _REFUSED.search(said)
    return (found[1], " ".join(found[2].split())) if found else None


def refused(given: Mapping[str, str], wrong: Mapping[str, str]) -> Problem:
    """The answers that were refused, each with its rule."""
    # The template's rules repeat the value.
    listed = "\n".join(
        f"  {key} is {given[key]!r}: {said.removeprefix(f'{given[key]!r}: ')}"
        for key, said in wrong.items()
    )
    return Problem(f"Nothing was changed. Answers that cannot be taken:\n{listed}")


def refuse_draft(said: str, before: Answers) -> None:
    """Raises Problem where the template's folder has changes of which no commit is."""
    if "Dirty template changes" in said:
        raise Problem(
            f"The template in {before.shown} has changes that are not committed, and a project "
            "could never be updated from what nobody can find again. Commit them there first."
        )


def explained(said: str, before: Answers, reference: str) -> Problem:
    """Why copier has failed. reference: the template's version that was asked for, or ""."""
    said = git.without_secrets(said)
    source, commit = before.shown, before.commit
    if found := refused_answer(said):
        return Problem(
            f"{NAME} has an answer that the template refuses: {found[0]} is {found[1]}\n"
            "Was it edited by hand? Put right what it says, and commit that."
        )
    if "Unknown revision" in said or "invalid reference" in said:
        return _no_version(before, reference or commit)
    if "downgrad" in said:
        return Older(
            f"This project is at {commit}, which is newer than what was asked for. Nothing goes "
            "back to an older template: revert the commit of the update with `git revert`."
        )
    if "requires Copier version" in said:
        line = next(one for one in said.splitlines() if "requires Copier version" in one)
        return Problem(
            f"{line.strip()} Update to a version before that first: `blueprint update --vcs-ref=TAG`."
        )
    if "git-tracked templates" in said or "must be a directory" in said or "old template" in said:
        return Problem(no_repository(source))
    if by_git := _FROM_GIT.findall(said):
        return Problem(
            f"The template at {source} could not be read: {by_git[-1]}\n"
            f"Can this machine reach it, with `git ls-remote` too? Has it moved? Then write its new "
            f"address into {NAME} (`_src_path`), and commit that. Nothing was changed here."
        )
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return Problem(f"copier failed, and nothing was changed: {lines[-1] if lines else 'no word'}")


def _no_version(before: Answers, version: str) -> Problem:
    if version != before.commit:
        return Problem(
            f"The template at {before.shown} has no {version!r}: --vcs-ref takes a tag, a branch "
            "or a commit of it, or HEAD for what was committed last."
        )
    return Problem(
        f"The template at {before.shown} has no version {version}, which this project is of "
        f"(`_commit` in {NAME}). Without it nothing can be told from an edit. Was the template not "
        "tagged then, or is its clone shallow? Tag it there, fetch its tags, or write the commit "
        "that this project was stamped from there, and commit that."
    )
