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
CREATE_VENV, REPO = ANSWERS["create_venv"], ANSWERS.get("_repo_dir")
UNKNOWN = """
No commit is known of {}: it is not the root of a git repository, or git cannot read it.
`blueprint update` needs one: put address and commit into .copier-answers.yml before the first.
"""


def origin():
    """The template's commit and address, as copier names them, by which it updates the project."""
    if REPO:
        sys.path.insert(0, str(Path(REPO, "hooks")))
        commit, address = __import__("repositories").origin(ANSWERS)
    else:  # cruft tells the commit, and not where its clone is
        commit, address = ANSWERS.get("_commit"), ANSWERS.get("_template") or ""
        path = Path(os.environ.get("PWD") or ".", address)
        address = str(path.resolve()) if (path / "cookiecutter.json").is_file() else address
    # This file may hold no secret.
    address = re.sub(r"^((?:git\+)?https?://)[^/]*@", r"\1", address)
    address = re.sub(r"^([a-z+]+://[^/:@]*):[^/]*@", r"\1@", address)
    remote = re.match(r"(?!git[@:+])([a-z]+://|[\w.-]+@)", address)
    if commit and remote and not address.endswith(".git"):
        address = "git+" + address  # or copier would look for a folder of that name
    return commit, address


def version():
    """The template's own version: a replayed answer may be an older one's."""
    questions = Path(REPO or os.devnull, "cookiecutter.json")
    known = json.loads(questions.read_text("utf-8")) if questions.is_file() else ANSWERS
    return "v" + known["_template_version"]


def compared():
    """Whether cruft only renders, to compare: what is made here would be in its diff."""
    folder = Path.cwd().parent  # as `tempfile` names it
    temporary = folder.parent == Path(tempfile.gettempdir()).resolve()
    named = re.match("tmp[a-z0-9_]{8}$", folder.name)
    return "_repo_dir" not in ANSWERS and temporary and bool(named)


def note_origin():
    """Put both where cookiecutter rendered what it knows; gives what is to be said of it."""
    path = Path(".copier-answers.yml")
    text = path.read_text("utf-8")
    commit, address = origin()
    for key, value in zip(("_commit", "_src_path"), (commit or version(), address)):
        quoted = "%s: '%s'" % (key, value.replace("'", "''"))
        text = re.sub("(?m)^%s: .*$" % key, lambda _, line=quoted: line, text)
    path.write_bytes(text.encode("utf-8"))
    return "" if commit else UNKNOWN.format(address)


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
    note = ""
    try:
        with contextlib.suppress(OSError, ValueError):  # what was rendered will do
            note = note_origin()
        if compared():
            return 0
        ready = CREATE_VENV is True and make_environment()
        print(next_steps(ready) + note, flush=True)
    except (Exception, KeyboardInterrupt) as problem:
        print(f"The project is there; its environment is not: {problem!r}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
