"""Before anything is tried: is there a history to go by, and nothing that could be lost?"""

from __future__ import annotations

import os
from pathlib import Path

from blueprint.checking.verdict import quoted
from blueprint.project import Problem
from blueprint.updating import answers, cut_off, git
from blueprint.updating.git import Repository
from runtime.project import ROOT

_MARKS = ("<<<<<<< before updating", ">>>>>>> after updating")
"""How a conflict begins and ends that an update writes into a file."""
_SHOWN = 12
_BEGIN = 'git add . && git commit -m "Stamp the pipeline"'


def look() -> Repository:
    """The project's repository, with all of the project committed in it.

    Raises:
        Problem: what is missing, and the commands that mend it.
    """
    repository = find()
    refuse_unfinished(repository)
    _refuse_hidden(repository)
    if lines := _changed(repository):
        _refuse_dirty(lines)
    cut_off.end()
    return repository


def find() -> Repository:
    """The repository that holds the project, with a commit of it.

    Raises:
        Problem: there is no git, no repository, no commit, or no answers.
    """
    need_git()
    done = git.run(ROOT, "rev-parse", "--show-toplevel", "--show-prefix")
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip()
        if "dubious ownership" in said:
            raise Problem(f"git does not trust the repository of {ROOT}:\n{said}")
        raise Problem(
            f"{ROOT} is no git repository. An update is a merge, which needs the project's "
            f"history. Make one, in {ROOT}:\n    git init && {_BEGIN}\nthen run this again."
        )
    top, folder = os.fsdecode(done.stdout).split("\n")[:2]
    repository = Repository(Path(top), folder)
    if repository.asked("rev-parse", "--verify", "--quiet", "HEAD^{commit}") is None:
        raise Problem(
            f"The repository of {ROOT} has no commit yet, so nothing could be told from an edit "
            f"or brought back. Commit the project as it is, in {ROOT}:\n    {_BEGIN}\n"
            "then run this again."
        )
    if (repository.asked("rev-parse", "--show-object-format") or "sha1").strip() != "sha1":
        raise Problem(
            f"The repository of {ROOT} names its objects by SHA-256, which copier cannot merge in. "
            "Update a clone of it in the usual format, and take the changes over as a patch."
        )
    _need_answers(repository)
    return repository


def need_git() -> None:
    """Raises Problem where there is no git."""
    if not git.is_there():
        raise Problem(
            "git is not there, and updates go by it. Install it (https://git-scm.com/downloads, "
            "or `apt install git`), then run this again."
        )


def markers(repository: Repository) -> list[str]:
    """Files of the project that still hold the marks of a conflict of an update."""
    # Said in full, for a person's settings may have git take patterns otherwise.
    marks = [word for one in _MARKS for word in ("-e", f"^{one}[[:space:]]*$")]
    found = repository.asked("grep", "-lzG", "--no-color", *marks, "--", _here(repository))
    return [one.removeprefix(repository.folder) for one in git.names(found)]


def _need_answers(repository: Repository) -> None:
    if repository.asked("rev-parse", "--verify", "--quiet", f"HEAD:{repository.folder}") is None:
        raise Problem(
            f"{ROOT} lies in the repository {repository.top}, which holds no commit of it. "
            f"Commit the project there, in {ROOT}:\n    {_BEGIN}\n"
            "or, where it shall have a repository of its own:\n"
            f"    git init && {_BEGIN}\nthen run this again."
        )
    path = f"{repository.folder}{answers.NAME}"
    if answers.PATH.is_file():
        if repository.asked("cat-file", "-e", f"HEAD:{path}") is None:
            raise Problem(
                f"{answers.NAME} is not committed, and an update goes by it:\n"
                f'    git add -f {answers.NAME} && git commit -m "Keep the answers"'
            )
        return
    last = (repository.asked("rev-list", "-1", "HEAD", "--", path) or "").strip()
    there = repository.asked("cat-file", "-e", f"HEAD:{path}") is not None
    if there or last:
        commit = "HEAD" if there else f"{last[:12]}~1"
        raise Problem(
            f"{answers.NAME} is gone, and an update goes by it. Bring it back, in {ROOT}:\n"
            f"    git checkout {commit} -- {answers.NAME}"
            + ("" if there else '\n    git commit -m "Bring back the answers"')
        )
    raise Problem(
        f"There is no {answers.NAME} in {ROOT} or in its history: this project was stamped from a "
        "template that had none. Stamp one anew with the same answers in a scratch folder, copy "
        f"its {answers.NAME} here, set `_commit` in it to the version that this project was "
        "stamped from, and commit it."
    )


def refuse_unfinished(repository: Repository) -> None:
    """Raises Problem where an update was killed halfway, or has conflicts not resolved yet."""
    if left := cut_off.left(repository):
        paths = " ".join(map(quoted, left))
        raise Problem(
            f"An update was killed while its result was brought in:\n{_listed(left)}\n"
            "Nothing of yours was uncommitted in these files then; what you have changed in them "
            f"since is lost by this. Back to before it, in {ROOT}:\n"
            f"    git restore --staged --worktree -- {paths}\nthen run this again."
        )
    unmerged = repository.asked("ls-files", "-z", "--unmerged", "--", _here(repository))
    if paths := sorted({one.partition("\t")[2] for one in git.names(unmerged)}):
        raise Problem(
            f"A merge or an update has conflicts that are not resolved yet:\n{_listed(paths)}\n"
            "Resolve each (`git add` it, or `git rm` it), commit, then run this again. To give "
            "the update up: git restore --staged --worktree ."
        )
    if marked := markers(repository):
        raise Problem(
            f"These files still hold the marks of an update's conflicts:\n{_listed(marked)}\n"
            "Keep in each what shall stay, take the lines with <<<<<<<, ======= and >>>>>>> "
            'out, then: git add . && git commit -m "Resolve the update\'s conflicts"'
        )


def _refuse_hidden(repository: Repository) -> None:
    """Raises Problem for files that git was told to take for unchanged, whatever is in them."""
    listed = git.names(repository.git("ls-files", "-v", "-z", "--", _here(repository)))
    assumed = [one[2:] for one in listed if one[0].islower()]
    skipped = [one[2:] for one in listed if one[0] == "S"]
    for option, hidden in (
        ("--no-assume-unchanged", assumed),
        # What a sparse checkout leaves out is not there, and holds nothing to be lost.
        ("--no-skip-worktree", [one for one in skipped if os.path.lexists(repository.top / one)]),
    ):
        if hidden:
            paths = " ".join(quoted(one.removeprefix(repository.folder)) for one in hidden)
            raise Problem(
                f"git was told to look away from what you change in these:\n{_listed(hidden)}\n"
                "An update could destroy an edit of yours there. Have git look at them, in "
                f"{ROOT}:\n    git update-index {option} -- {paths}\n"
                "then commit what you have changed, or put it aside, and run this again."
            )


def _changed(repository: Repository) -> list[str]:
    listed = repository.git(
        *("-c", "core.quotePath=false", "status", "--porcelain", "--untracked-files=normal"),
        *("--", _here(repository)),
    )
    return os.fsdecode(listed).splitlines()


def _refuse_dirty(lines: list[str]) -> None:
    raise Problem(
        f"There are changes that are not committed:\n{_listed(lines)}\n"
        "An update changes only what git can bring back, so commit them, or put them aside:\n"
        '    git add . && git commit -m "What I have changed"\n'
        "    git stash --include-untracked    # and afterwards: git stash pop"
    )


def _listed(lines: list[str]) -> str:
    more = [f"    ... and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return "\n".join([*(f"    {one}" for one in lines[:_SHOWN]), *more])


def _here(repository: Repository) -> str:
    return f":(literal){repository.folder}" if repository.folder else "."
