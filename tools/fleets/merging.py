"""One clone's merge, in a process of its own: `blueprint update`, as this template has it.

    python merging.py CLONE SCRATCH check|bring [--vcs-ref REF] [key=value ...]

A project may be of a version that has no such command, or an older one; so what runs is the
template's own code upon the clone, with the copier of this environment. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).resolve().parents[2]


def main() -> int:
    """Merge, and say what came of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("clone", type=Path)
    parser.add_argument("scratch", type=Path)
    parser.add_argument("task", choices=("check", "bring"))
    parser.add_argument("--vcs-ref", default="")
    parser.add_argument("answers", nargs="*")
    asked = parser.parse_args()
    sys.path.insert(0, str(TEMPLATE / "{{cookiecutter.project_slug}}" / "src"))
    import runtime.project

    # Before anything else is imported, which all take the project's folder from there.
    runtime.project.ROOT = asked.clone
    from blueprint import show
    from blueprint.project import Problem

    show.quiet(True)
    try:
        found = _merged(asked)
    except Problem as problem:
        found = {"state": "failed", "why": str(problem)}
    print(json.dumps(found))
    return 0


def _merged(asked: argparse.Namespace) -> dict[str, Any]:
    from blueprint.updating import answers, bringing, merging, preflight, tool

    tool._PYTHON = Path(sys.executable)
    repository = preflight.look()
    before = answers.read()
    answers.refuse_source(before.source)
    given = answers.asked(asked.answers, before.values)
    if given and not asked.vcs_ref:
        asked.vcs_ref = ":current:"
    merge = merging.merge(repository, before, asked.scratch, asked.vcs_ref, given)
    found = {
        "from": before.commit,
        "to": merge.after.commit,
        "answers": (merge.folder / answers.NAME).read_text("utf-8"),
        "deleted": [path for path, one in merge.changes.items() if one.kind == "D"],
    }
    if merge.conflicts:
        files = [{"path": one.path, "why": one.why} for one in merge.conflicts]
        return found | {"state": "conflict", "files": files}
    if not merge.changes:
        return found | {"state": "current"}
    if asked.task == "bring":
        bringing.bring(repository, merge)
    return found | {"state": "changed"}


if __name__ == "__main__":
    raise SystemExit(main())
