"""Which version of this project is deployed: pyproject.toml's, and the commit where there is one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from blueprint.environment import settings
from runtime.project import ROOT


def version(root: Path = ROOT) -> str:
    """Such as 0.1.0+g1a2b3c4d5e6f, with .dirty where this folder has changes not committed.

    Without git, without a commit, or where the folder is not part of the repository around it:
    pyproject.toml's version alone.
    """
    plain = str(settings(root)["project"]["version"])
    if _git(root, "ls-files", "--error-unmatch", "prefect.yaml") is None:
        return plain
    commit = _git(root, "rev-parse", "--short=12", "HEAD")
    if not commit:
        return plain
    dirty = ".dirty" if _git(root, "status", "--porcelain", "--", ".") else ""
    return f"{plain}+g{commit}{dirty}"


def _git(root: Path, *arguments: str) -> str | None:
    """What git prints; None where it fails, or is not there."""
    # A git hook sets GIT_DIR and the like, which name the repository that it runs for.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
