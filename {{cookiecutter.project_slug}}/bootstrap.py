"""Makes this project's .venv, or repairs it: python3 bootstrap.py [--quiet] [--force]

Needs Python 3.8 or newer and nothing else. The environment gets a Python from 3.11 to 3.14;
BLUEPRINT_PYTHON chooses it. Where nothing is to do, it says so (or nothing, with --quiet).
With --force it is made anew, also where it seems in order: somebody changed its packages.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = str(VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
MARKER = VENV / "blueprint.json"  # empty while packages are installed; then what they came from
SUPPORTED = ("3.13", "3.12", "3.14", "3.11")  # in the order of search
# Prefect needs ssl and sqlite3, which a hand-built Python may lack; Debian packs ensurepip apart.
PROBE = """import sys, json, ssl, sqlite3; from importlib.util import find_spec
path = getattr(sys, "_base_executable", "") or sys.executable  # not that of the .venv itself
print(json.dumps(["%d.%d" % sys.version_info[:2], path, bool(find_spec("ensurepip"))]))"""
# What would send packages elsewhere than into .venv, or leave them without bytecode.
UNWANTED = (
    "VIRTUAL_ENV CONDA_PREFIX PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE __PYVENV_LAUNCHER__ "
    "PIP_TARGET PIP_PREFIX PIP_ROOT PIP_NO_COMPILE PIP_NO_DEPS PIP_CONSTRAINT PIP_REQUIREMENT "
    "PIP_REQUIRE_VIRTUALENV PIP_PYTHON UV_PYTHON UV_SYSTEM_PYTHON UV_CONSTRAINT UV_OVERRIDE "
    "UV_TARGET UV_PREFIX"
)
# The locks are whole; pip before 24 takes sqlalchemy[asyncio] for a package that it does not pin.
LOCKED = ["--no-deps", "--require-hashes"]
PROJECT = ["--no-deps", "--no-build-isolation", "-e", "."]  # setuptools is in the lock


class Stop(Exception):
    """What keeps the environment from being made, and what to do."""


def say(text):
    print(text, flush=True)


def run(*command, timeout=None):
    """Whether a command worked, and what it printed."""
    environ = {key: value for key, value in os.environ.items() if key not in UNWANTED.split()}
    environ.update(PIP_USER="0", PYTHONIOENCODING="utf-8")
    environ.setdefault("UV_SYSTEM_CERTS", "true")  # a company's own certificates are there
    environ.setdefault("UV_HTTP_RETRIES", "1")
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    try:
        done = subprocess.run(command, cwd=str(ROOT), env=environ, timeout=timeout, **pipes)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return False, str(error)
    return done.returncode == 0, done.stdout.decode("utf-8", "replace").strip()


def probe(*command):
    """Version, path, and whether it brings pip, of a Python that runs and is supported."""
    worked, output = run(*command, "-I", "-c", PROBE, timeout=20)
    try:
        found = json.loads(output.splitlines()[-1]) if worked else [None]
        return found if found[0] in SUPPORTED else None
    except (LookupError, TypeError, ValueError):  # something else answers to that name
        return None


def candidates():
    """Commands that may be a Python; some names on the PATH are shims that run nothing."""
    yield (sys.executable,)
    for name in ["python" + version for version in SUPPORTED] + ["python3", "python"]:
        for folder in filter(None, os.environ.get("PATH", "").split(os.pathsep)):
            if shutil.which(name, path=folder):
                yield (shutil.which(name, path=folder),)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for version in SUPPORTED:
        for path in sorted(pyenv.glob("versions/" + version + ".*/bin/python"), reverse=True):
            yield (str(path),)
        if os.name == "nt":
            yield ("py", "-" + version)


def find_python(uv):
    """A Python for the environment; where uv does not make it, one that brings pip."""
    chosen = os.environ.get("BLUEPRINT_PYTHON")
    for command in [(chosen,)] if chosen else candidates():
        found = probe(*command)
        if found and (uv or found[2]):
            return found[1]
    if uv and not chosen:
        worked, path = run(uv, "python", "find", ">=3.11,<3.15", timeout=60)
        return path if worked and probe(path) else SUPPORTED[0]  # uv then downloads that
    what = "BLUEPRINT_PYTHON, %r, is not" % chosen if chosen else "There is not"
    raise Stop(
        too_old(chosen or sys.executable)
        + what
        + " a Python 3.11 to 3.14 that runs, with venv, ssl and sqlite3. Install one\n"
        "(python.org, `uv python install 3.13`, or `apt install python3 python3-venv`)."
    )


def too_old(python):
    """That a Python is older than any that will do, or nothing."""
    told = run(python, "--version", timeout=20)[1]
    found = re.match(r"Python (\d+)\.(\d+)", told)
    if found and tuple(map(int, found.groups())) < (3, 11):
        return "%s (%s) is too old.\n" % (told, python)
    return ""


def locks():
    """The project's lock file, and that of each extra that pyproject.toml says it has."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")  # Python 3.8 has no parser for it
    line = re.search(r"(?m)^extras\s*=\s*(.*)", text)
    listed = line and re.match(r"""\[((?:[ ,]|"[\w-]+"|'[\w-]+')*)\]""", line.group(1))
    if line and not listed:
        raise Stop('pyproject.toml must list its extras in one line, as in: extras = ["cloud"]')
    extras = re.findall(r"[\w-]+", listed.group(1)) if listed else []
    there = sorted(path.name[13:-5] for path in ROOT.glob("requirements-*.lock"))
    for extra in sorted(set(extras).difference(there)):
        raise Stop("pyproject.toml names the extra %r; there are: %s" % (extra, ", ".join(there)))
    return ["requirements.lock"] + ["requirements-%s.lock" % extra for extra in extras]


def made_from():
    """What a finished .venv is made from; nothing where it has no Python that will do."""
    files = [(ROOT / name).read_bytes() for name in locks() + ["pyproject.toml"]]
    found = probe(PYTHON) if VENV.is_dir() else None
    packages = hashlib.sha256(b"".join(files)).hexdigest()
    return found and {"folder": str(ROOT), "python": found[0], "packages": packages}


def marked():
    """What .venv was made from: nothing where nobody marked it, empty where it is unfinished."""
    try:
        return dict(json.loads(MARKER.read_text("utf-8")))
    except (TypeError, ValueError):
        return {}
    except OSError:
        return None


def install(uv, python):
    """Make .venv if it is not there, and fill it. Returns what a failing step printed."""
    say("Installing the locked packages with %s ..." % ("uv: some 10 s" if uv else "pip: 1 minute"))
    pip = [PYTHON, "-m", "pip", "install", "--no-input", "--retries=1", "--timeout=15"]
    steps = [] if VENV.exists() else [[python, "-m", "venv", str(VENV)]]
    if uv:
        pip = [uv, "pip", "install", "--python", PYTHON, "--compile-bytecode"]
        steps = [] if VENV.exists() else [[uv, "venv", "--python", python, str(VENV)]]
    elif not steps and not run(PYTHON, "-m", "pip", "--version")[0]:
        steps = [[PYTHON, "-m", "ensurepip"]]
    packages = pip + LOCKED + [word for lock in locks() for word in ("-r", lock)]
    for step in [*steps, packages, pip + PROJECT]:
        if step == packages:
            MARKER.write_text("{}", "utf-8")
        worked, output = run(*step)
        if not worked:
            return output or "%s failed" % step[0]
    return ""


def why(output):
    """The lines that say what went wrong, of all that a tool printed."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [n for n, line in enumerate(lines) if line.lower().startswith("error")]
    return " ".join(lines[errors[0] :][:2] if errors else lines[-1:])[:300]


def make(have):
    """Make .venv, or bring it up to date, with uv or else with pip."""
    uv = shutil.which("uv")
    uv = uv if uv and run(uv, "--version", timeout=20)[0] else None
    want = made_from()
    # Unfinished, or of another folder or Python: only another set of packages is installed over.
    stale = have is not None and want and have != dict(want, packages=have.get("packages"))
    python = PYTHON if want and not stale else find_python(uv)
    if VENV.is_symlink() or VENV.exists():
        if VENV.is_symlink() or not (VENV / "pyvenv.cfg").is_file():
            raise Stop("%s is no virtual environment of this project: move it away." % VENV)
        if python != PYTHON:
            say("Removing .venv: it is unfinished, of another folder, or to be made anew.")
            shutil.rmtree(str(VENV))
            have = None
    failure = install(uv, python)
    if failure and uv:
        say("uv could not do it (%s), so pip does." % why(failure))
        failure = install(None, PYTHON if VENV.exists() else find_python(None))
    if not failure:
        return MARKER.write_text(json.dumps(made_from()), "utf-8")
    if have:
        MARKER.write_text(json.dumps(have), "utf-8")  # pip left what was there as it was
    if re.search("(?i)connection|timed out|unreachable|resolve|certificate|proxy", failure):
        worked, index = run(PYTHON, "-m", "pip", "config", "get", "global.index-url")
        index = os.environ.get("PIP_INDEX_URL") or (index if worked else "PyPI")
        index = re.sub("//[^/@]*@", "//", index)  # without its user and password
        raise Stop("The package index %s could not be reached: %s" % (index, why(failure)))
    raise Stop("The packages could not be installed: %s" % why(failure))


def alone():
    """Wait until no other bootstrap is at work here, where the system can tell; ends with us."""
    if os.name != "nt":
        import fcntl

        lock = os.open(str(ROOT / "requirements.lock"), os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another bootstrap.py is at work here; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)


def main():
    begun, quiet, force = time.monotonic(), "--quiet" in sys.argv[1:], "--force" in sys.argv[1:]
    try:
        if force or not marked() or marked() != made_from():
            alone()
        have = {} if force else marked()
        if not have or have != made_from():
            make(have)
            say("Ready in %d s: .venv" % (time.monotonic() - begun))
        elif not quiet:
            say(".venv is ready; there is nothing to do.")
        return 0
    except (Stop, OSError) as error:
        again = "%s bootstrap.py" % ("py" if os.name == "nt" else "python3")
        say("%s\nThe environment is not ready. To finish, in %s:\n    %s" % (error, ROOT, again))
        return 1
    except KeyboardInterrupt:
        say("\nStopped. The next run of bootstrap.py begins anew.")
        return 130


if __name__ == "__main__":
    sys.exit(main())
