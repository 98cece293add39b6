#!/usr/bin/env python3
# run_validation.py: both validations, of the setup and of the installation, for CI.
# Runs with any Python from 3.8 on, from any folder, and needs nothing: it uses this project's
# .venv, and where that is not made yet, it says so.
# Options: --json; --server, for a server that is not started yet to be a fault.
# Exit code: 0 all checks pass; 1 there are faults, each with the command that mends it.

"""Starts `blueprint validate` with the Python of .venv."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve()
BIN = "Scripts/python.exe" if os.name == "nt" else "bin/python"


def main(arguments):
    if set(arguments) & {"-h", "--help"}:
        head = HERE.read_text("utf-8").split("\n\n")[0].splitlines()
        print("\n".join(line[2:] for line in head[1:]))
        return 0
    look = [str(HERE.with_name("_look.py")), "validate", *arguments]
    for one in (str(HERE.parent.parent / ".venv" / BIN), sys.executable):
        try:
            return subprocess.call([one, *look])
        except OSError:  # there is none, or it is no program of this machine
            continue
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
