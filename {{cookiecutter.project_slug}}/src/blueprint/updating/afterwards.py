"""What follows once the files are changed: the environment, and what the server has yet to get."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Container, Iterable, Mapping
from typing import Any

from blueprint import show
from blueprint.checking.verdict import BLUEPRINT
from blueprint.processes import WORKER
from blueprint.project import Problem
from blueprint.updating.bringing import Brought
from blueprint.updating.merging import Merge
from runtime.project import ROOT

_DEPLOYED = ("schedule", "timezone", "source_url", "work_pool_name")
"""Answers that the server's deployment has."""


def sync(merge: Merge, done: Brought) -> None:
    """Bring .venv up to date where a lock has changed.

    Raises:
        Problem: it could not be; the files are brought in nevertheless.
    """
    touched = [one for one in (*done.added, *done.changed, *done.deleted) if _is_of_packages(one)]
    if not touched:
        return
    if any(_is_of_packages(one.path) for one in merge.conflicts):
        show.warn(
            "the environment is as it was: once the conflicts are resolved, any script mends it"
        )
        return
    if not (ROOT / ".venv").exists():
        show.warn("there is no .venv yet; the first script makes it, of the new packages")
        return
    show.doing(f"{', '.join(touched)} changed, so the environment is brought up to date")
    command = [sys.executable, "bootstrap.py", "--quiet"]
    if not _ran(command):
        raise Problem(
            "The files are brought in, and the environment is not what they ask for: see above. "
            "Finish it with: python3 bootstrap.py"
        )


def changed_answers(merge: Merge) -> dict[str, tuple[Any, Any]]:
    """The answers that are others now: by key, before and after."""
    before, after = merge.before.values, merge.after.values
    return {
        key: (before[key], after[key])
        for key in after
        if key in before and before[key] != after[key]
    }


def first_steps(changed: Mapping[str, tuple[Any, Any]], again: str) -> list[str]:
    """Why something is typed before the change is kept, and that: on another server it cannot be.

    again: the command that has made the change.
    """
    if "prefect_api_url" not in changed:
        return []
    return [
        f"if it was deployed at {changed['prefect_api_url'][0]}, its schedule goes on there, and "
        "only a project that knows that server removes it. So give this up, remove it, come back:",
        "git restore --staged --worktree .",
        f"{BLUEPRINT} cleanup && {BLUEPRINT} down",
        again,
    ]


def next_steps(changed: Mapping[str, tuple[Any, Any]]) -> list[str]:
    """What is typed so that the server and the worker have it too."""
    if "prefect_api_url" in changed:
        return [f"{BLUEPRINT} up && {BLUEPRINT} deploy"]
    steps = []
    if "work_pool_name" in changed:
        steps.append(f"{BLUEPRINT} down && {BLUEPRINT} up    # the worker serves the old pool")
    if set(_DEPLOYED) & set(changed):
        steps.append(f"{BLUEPRINT} redeploy    # --dry-run shows what it changes on the server")
    if "source_url" in changed:
        steps.append(f"{BLUEPRINT} preview    # does contract.py fit the new source?")
    return steps


def refuse_redeploy(given: Iterable[str]) -> None:
    """Raises Problem where a deployment cannot follow the answers by itself."""
    if "prefect_api_url" in given:
        raise Problem(
            "--redeploy cannot move a deployment to another server: on the old one it would go on "
            f"by its schedule. Remove it there first, while the project still knows that server:\n"
            f"    {BLUEPRINT} cleanup && {BLUEPRINT} down\n"
            f"then: {BLUEPRINT} reconfigure prefect_api_url=... and {BLUEPRINT} up, {BLUEPRINT} deploy"
        )


def redeploy(changed: Container[str]) -> None:
    """Give the server what the manifest says now; a worker of the old pool is started anew.

    In a process of its own, since the code may be another now.

    Raises:
        Problem: it failed; the files are brought in nevertheless.
    """
    if "work_pool_name" in changed and WORKER.process():
        if WORKER.ours():
            _blueprint("down")
            _blueprint("up")
        else:
            show.warn(f"the worker, started by {WORKER.by}, serves the old pool: start it anew")
    _blueprint("redeploy")


def _blueprint(command: str) -> None:
    if not _ran([sys.executable, "-m", "blueprint", command]):
        raise Problem(
            f"The files are brought in, and `blueprint {command}` failed: see above. Once that is "
            f"mended: {BLUEPRINT} {command}"
            + ("" if command == "redeploy" else f", then {BLUEPRINT} redeploy")
        )


def _ran(command: list[str]) -> bool:
    # What it prints is no part of this command's JSON.
    where = sys.stderr if show.console.quiet else None
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=where)
    return done.returncode == 0


def _is_of_packages(path: str) -> bool:
    return path == "pyproject.toml" or (path.startswith("requirements") and path.endswith(".lock"))
