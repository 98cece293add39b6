"""A copy of the template as git sees it.

Cookiecutter copies the whole folder of a template before its first question, whatever lies in it:
a `.venv` beside the hooks makes every stamp slow. So the demo and the tests stamp from a copy that
holds only what is tracked, or would be.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parents[1]


def clean_copy(destination: Path) -> Path:
    """Copy the template's files, with their modes, into `destination`, and return it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=TEMPLATE,
        check=True,
        capture_output=True,
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        source, target = TEMPLATE / name, destination / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return destination
