"""Runs a `blueprint` command that only looks; where there is no environment, says what is missing.

Called by the scripts beside it with the Python of .venv, or with any from 3.8 on. It makes
nothing: a check that mends what it checks would always pass.
"""

import json
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAKE = "scripts/phase1_execute.sh"
AGAIN = "python3 bootstrap.py --force"


def blueprint():
    """The command line of this project, or None where its environment cannot run it."""
    try:
        from blueprint import cli
    except Exception:  # missing, half installed, or made for another Python
        return None
    # A copied folder has an environment that runs the original's code.
    own = ROOT / "src" / "blueprint" / "cli.py"
    return cli if own.exists() and own.samefile(cli.__file__) else None


def missing():
    """What keeps `blueprint` from running, the worst first: pairs of a sentence and a command."""
    found = []
    if not (ROOT / "bootstrap.py").is_file():
        return [("bootstrap.py is missing.", "git checkout -- bootstrap.py")]
    sys.path.insert(0, str(ROOT))
    sys.dont_write_bytecode = True
    import bootstrap

    try:
        bootstrap.find_python(shutil.which("uv"))
    except bootstrap.Stop as stop:
        found.append((str(stop), "install that Python, then: " + MAKE))
    if not (ROOT / ".venv").exists():
        found.append(("There is no environment: .venv is not made yet.", MAKE))
    else:
        what = "The environment in .venv cannot run: it is unfinished, damaged or another folder's."
        found.append((what, AGAIN))
    return found


def report(as_json):
    """Say what is missing, in the form that `blueprint status` has; gives the exit code."""
    wrong = missing()
    if as_json:
        phases = [
            {"name": "phase%d" % n, "state": "pending", "command": "scripts/phase%d_execute.sh" % n}
            for n in (1, 2, 3)
        ]
        faults = [{"what": what, "mend": mend} for what, mend in wrong]
        told = {"ok": False, "exit_code": 1, "wrong": faults, "notes": [], "phases": phases}
        print(json.dumps(dict(told, next=wrong[0][1]), indent=2))
        return 1
    print("\n%s in %s" % (ROOT.name, ROOT))
    for what, mend in wrong:
        print("  wrong %s\n        Mend it: %s" % (what.replace("\n", "\n        "), mend))
    for number in (1, 2, 3):
        print("  pending phase %d" % number)
    print("  next    %s" % wrong[0][1])
    return 1


def main():
    found = blueprint()
    if found is None:
        return report("--json" in sys.argv[1:])
    sys.argv[0] = "blueprint"
    return found.main()


if __name__ == "__main__":
    sys.exit(main())
