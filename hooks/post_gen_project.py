"""After the files are written: note where from, make the environment, say what to do next.

Always ends with exit code 0: cookiecutter removes a fresh project whose last hook fails, and
nothing that can go wrong here is worth that.
"""

import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ANSWERS = json.loads(r'''{{ cookiecutter | tojson }}''')  # fmt: skip
CREATE_VENV = ANSWERS["create_venv"]


def git(folder, *arguments):
    """What git prints of a template's folder; nothing where that is no repository."""
    if not (Path(folder) / ".git").exists():
        return ""
    # Called from a git hook, these name another repository.
    elsewhere = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
    environ = {key: value for key, value in os.environ.items() if key not in elsewhere}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "env": environ}
    return subprocess.run(["git", *arguments], cwd=folder, **pipes).stdout.decode().strip()


def origin():
    """The template's commit and address, as copier names them, by which it updates the project."""
    given, repo = ANSWERS.get("_template") or "", ANSWERS.get("_repo_dir") or os.devnull
    commit = git(repo, "describe", "--tags", "--always")
    # A clone's path is typed from where cookiecutter was called.
    for base in (ANSWERS.get("_output_dir"), os.environ.get("PWD")):
        path = Path(base or ".", given)
        if commit and git(path, "describe", "--tags", "--always") == commit:
            return commit, str(path.resolve())
    address = git(repo, "config", "--get", "remote.origin.url") or given
    address = re.sub("^(https?://)[^/@]*@", r"\1", address)  # this file may hold no secret
    commit = commit or ANSWERS.get("_commit")  # which cruft gives
    remote = re.match(r"(?!git[@:+])([a-z]+://|[\w.-]+@)", address)
    if commit and remote and not address.endswith(".git"):
        address = "git+" + address  # or copier would look for a folder of that name
    return commit or version(repo), address


def version(repo):
    """The template's own version: a replayed answer may be an older one's."""
    questions = Path(repo, "cookiecutter.json")
    known = json.loads(questions.read_text("utf-8")) if questions.is_file() else ANSWERS
    return "v" + known["_template_version"]


def compared():
    """Whether cruft only renders, to compare: what is made here would be in its diff."""
    folder = Path.cwd().parent  # as `tempfile` names it
    temporary = folder.parent == Path(tempfile.gettempdir()).resolve()
    named = re.match("tmp[a-z0-9_]{8}$", folder.name)
    return "_repo_dir" not in ANSWERS and temporary and bool(named)


def note_origin():
    """Put both where cookiecutter rendered what it knows: a version, an address as typed."""
    path = Path(".copier-answers.yml")
    text = path.read_text("utf-8")
    for key, value in zip(("_commit", "_src_path"), origin()):
        quoted = "%s: '%s'" % (key, value.replace("'", "''"))
        text = re.sub("(?m)^%s: .*$" % key, lambda _, line=quoted: line, text)
    path.write_bytes(text.encode("utf-8"))


def make_environment():
    """Whether the project's own bootstrap made its .venv; it says itself what it does."""
    try:
        sys.stdout.flush()
        return subprocess.run([sys.executable, "bootstrap.py"]).returncode == 0
    except (OSError, KeyboardInterrupt) as problem:
        print(f"The environment was not made: {problem or 'interrupted'}")
        return False


def next_steps(ready):
    """The commands that follow, for the shell of this machine."""
    folder, windows = str(Path.cwd()), sys.platform == "win32"
    lines = [f'cd "{folder}"' if windows else f"cd {shlex.quote(folder)}"]
    if not ready:
        made = "makes the environment" if CREATE_VENV is not True else "finishes the environment"
        lines.append(f"{'py' if windows else 'python3'} bootstrap.py    # {made}")
    lines.append("scripts/execute_all_phases.sh    # server, worker, deployment, a first run")
    lines.append('git init && git add . && git commit -m "Stamp the pipeline"')
    return "\n".join(["", "The project is there. Next:", *(f"    {line}" for line in lines), ""])


def main():
    # A Ctrl-C while the closing message is printed must not cost the project either.
    try:
        with contextlib.suppress(OSError, ValueError):  # what was rendered will do
            note_origin()
        if compared():
            return 0
        ready = CREATE_VENV is True and make_environment()
        print(next_steps(ready), flush=True)
    except (Exception, KeyboardInterrupt) as problem:
        print(f"The project is there; its environment is not: {problem!r}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
