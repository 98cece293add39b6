"""Moving the project on: a newer template, other answers. Neither needs a server, or Prefect."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter

from blueprint.project import Problem

_Flag = Annotated[bool, Parameter(negative=())]
_Json = Annotated[bool, Parameter(name="--json", negative=())]


def update(
    *answers: str,
    vcs_ref: str | None = None,
    check: _Flag = False,
    keep_conflicts: _Flag = False,
    as_json: _Json = False,
) -> None:
    """Merge a newer version of the template into this project; your edits stay.

    What you have is committed first: a tree with changes is refused. The result is staged and
    not committed. On a conflict nothing is changed, the files are named, and the exit code is 3.
    Files that git ignores are never touched.

    Parameters
    ----------
    answers
        Answers to what the newer template asks anew or refuses, as key=value.
    vcs_ref
        A tag, a branch or a commit of the template, or HEAD; else its newest tag.
    check
        Only say whether there is a newer version: exit code 0 no, 2 yes, 1 it cannot be told.
    keep_conflicts
        Bring conflicts in too, marked in the files and in git, to be resolved by hand.
    as_json
        Print it as JSON.
    """
    from blueprint.updating import work

    if check:
        if answers or vcs_ref or keep_conflicts:
            raise Problem("--check goes with --json alone: it only looks.")
        sys.exit(work.check(as_json))
    work.update(answers, vcs_ref or "", keep_conflicts, as_json)


def reconfigure(
    *answers: str,
    keep_conflicts: _Flag = False,
    redeploy: _Flag = False,
    as_json: _Json = False,
) -> None:
    """Change answers that this project was stamped with; without any, show them.

    For example: blueprint reconfigure schedule='30 6 * * MON-FRI' timezone=Europe/Berlin

    Every file that holds one is changed, at the same version of the template, and your edits
    stay. The result is staged and not committed. On a conflict nothing is changed, and the exit
    code is 3. The project's name and slug stay as they are.

    Parameters
    ----------
    answers
        key=value, as many as are to change.
    keep_conflicts
        Bring conflicts in too, marked in the files and in git, to be resolved by hand.
    redeploy
        Deploy it, too: the server then has what is new, and nothing of the old.
    as_json
        Print it as JSON.
    """
    from blueprint.updating import work

    work.reconfigure(answers, keep_conflicts, redeploy, as_json)
