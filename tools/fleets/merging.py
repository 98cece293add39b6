"""`blueprint update` upon one clone, in a process of its own: check, update or reconfigure.

    python merging.py CLONE update [--vcs-ref REF] [key=value ...]

A project may be of a version that has no such command, or an older one; so what runs is this
template's own, with the copier of this environment. Prints the command's JSON, and what is wrong to
stderr; the exit code is the command's.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parents[2]


def main() -> int:
    """Run the command with the clone as the project's folder."""
    parser = argparse.ArgumentParser()
    parser.add_argument("clone", type=Path)
    parser.add_argument("command", choices=("check", "update", "reconfigure"))
    parser.add_argument("--vcs-ref", default="")
    parser.add_argument("answers", nargs="*")
    asked = parser.parse_args()
    sys.path.insert(0, str(TEMPLATE / "{{cookiecutter.project_slug}}" / "src"))
    import runtime.project

    # Before anything else is imported, which all take the project's folder from there.
    runtime.project.ROOT = asked.clone
    from blueprint.project import Problem
    from blueprint.updating import tool, work

    # The lock of this environment has copier too; a project's own would be made for each clone.
    tool._PYTHON = Path(sys.executable)
    tool.ready = lambda: None
    try:
        if asked.command == "check":
            return work.check(as_json=True)
        if asked.command == "update":
            work.update(asked.answers, asked.vcs_ref, keep_conflicts=False, as_json=True)
        else:
            work.reconfigure(asked.answers, keep_conflicts=False, redeploy=False, as_json=True)
    except Problem as problem:
        print(problem, file=sys.stderr)
        return getattr(problem, "code", 1)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
