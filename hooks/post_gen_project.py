"""After the files are written: make the environment, and say what to do next.

Always ends with exit code 0: cookiecutter removes a fresh project whose last hook fails, and
nothing that can go wrong here is worth that.
"""

import json
import shlex
import subprocess
import sys
from pathlib import Path

CREATE_VENV = json.loads(r'''{{ cookiecutter.create_venv | tojson }}''')  # fmt: skip


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
        ready = CREATE_VENV is True and make_environment()
        print(next_steps(ready), flush=True)
    except (Exception, KeyboardInterrupt) as problem:
        print(f"The project is there; its environment is not: {problem!r}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
