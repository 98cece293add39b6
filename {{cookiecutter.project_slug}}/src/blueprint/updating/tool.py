"""copier, which does the merging: pinned by the lock beside this file, in an environment of its own.

It is no part of .venv: what a run imports and what merges files have nothing to do with each other.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from blueprint import show
from blueprint.checking.verdict import BLUEPRINT
from blueprint.project import STATE, Problem
from blueprint.updating import git
from runtime.project import ROOT

LOCK = Path(__file__).with_name("copier.lock")
FOLDER = STATE / "copier"
_PYTHON = FOLDER / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
_MADE_FROM = FOLDER / "made-from"
"""Written last, so that an environment that was cut off is made anew."""


def ready() -> None:
    """Make copier's environment, where it is not there or is another than the lock says.

    Raises:
        Problem: it could not be installed; the message has the reason and the command.
    """
    if _is_made():
        return
    bootstrap = _bootstrap()
    uv = shutil.which("uv")
    show.doing("installing copier, which merges, into .blueprint/copier; once")
    failure = _install(bootstrap, uv)
    if failure and uv:
        show.doing(f"uv could not do it ({bootstrap.why(failure)}), so pip does")
        failure = _install(bootstrap, None)
    if failure:
        shutil.rmtree(FOLDER, ignore_errors=True)
        lost = re.search("(?i)connection|timed out|unreachable|resolve|certificate|proxy", failure)
        reason = "the package index could not be reached: " if lost else ""
        raise Problem(
            f"copier, which merges, could not be installed: {reason}{bootstrap.why(failure)}\n"
            "Nothing was changed. Where a package index can be reached (PIP_INDEX_URL names "
            f"another), this installs it, once: {BLUEPRINT} update --check"
        )
    _MADE_FROM.write_text(_wanted(), "utf-8")


def copier(folder: Path, scratch: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run copier in a folder, with a cache and temporary files of this call's own in `scratch`."""
    temporary = scratch / "temporary"
    temporary.mkdir(exist_ok=True)
    own = {
        **dict.fromkeys(("TMPDIR", "TMP", "TEMP"), str(temporary)),
        # Two calls at once would clobber each other's cache.
        "COPIER_CACHE_DIR": str(scratch / "templates"),
        # A person's own defaults would be answers that nobody gave.
        "COPIER_SETTINGS_PATH": str(scratch / "no-settings.yml"),
        "PYTHONUTF8": "1",
        "NO_COLOR": "1",
    }
    unwanted = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    kept = {k: v for k, v in git.environment(plain=True).items() if k not in unwanted}
    return subprocess.run(
        [str(_PYTHON), "-I", "-X", "utf8", "-m", "copier", *map(str, arguments)],
        cwd=folder,
        env=kept | own,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )


def _is_made() -> bool:
    try:
        if _MADE_FROM.read_text("utf-8") != _wanted():
            return False
        return subprocess.run([str(_PYTHON), "-c", ""], capture_output=True).returncode == 0
    except OSError:
        return False


def _wanted() -> str:
    version = ".".join(map(str, sys.version_info[:2]))
    return f"{version} {hashlib.sha256(LOCK.read_bytes()).hexdigest()}"


def _install(bootstrap: Any, uv: str | None) -> str:
    """Make the environment; returns what a failing step printed, or nothing."""
    if FOLDER.is_symlink():
        FOLDER.unlink()
    shutil.rmtree(FOLDER, ignore_errors=True)
    if uv:
        base = ["--python", getattr(sys, "_base_executable", None) or sys.executable]
        steps = [
            [uv, "venv", "--quiet", *base, str(FOLDER)],
            [uv, "pip", "install", "--python", str(_PYTHON), "--compile-bytecode"],
        ]
    else:
        pip = ["-m", "pip", "install", "--no-input", "--retries=1", "--timeout=15"]
        steps = [[sys.executable, "-m", "venv", str(FOLDER)], [str(_PYTHON), *pip]]
    steps[-1] += [*bootstrap.LOCKED, "-r", str(LOCK)]
    for step in steps:
        worked, output = bootstrap.run(*step)
        if not worked:
            return output or f"{step[0]} failed"
    return ""


def _bootstrap() -> Any:
    """bootstrap.py, which knows how packages are installed whatever this shell has set."""
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "bootstrap.py")
    if not spec or not spec.loader or not (ROOT / "bootstrap.py").is_file():
        raise Problem("bootstrap.py is gone: bring it back with `git checkout bootstrap.py`.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
