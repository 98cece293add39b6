"""`make demo`: the default project, stamped into a scratch folder and taken through all phases.

It has a PREFECT_HOME of its own and a free port, so it meets no server and no profile of yours.
Nothing is left running unless KEEP=1 is set, which also leaves the folder in place.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from clean_copy import clean_copy


def main() -> int:
    """Stamp, run, clean up; the exit code is that of the phases."""
    keep = os.environ.get("KEEP") == "1"
    scratch = Path(tempfile.mkdtemp(prefix="prefect-blueprint-demo-"))
    environment = scratch_environment(scratch)
    began = time.monotonic()
    project = scratch / "enterprise-data-pipeline"
    try:
        template = clean_copy(scratch / "template")
        answers = [f"prefect_api_url=http://127.0.0.1:{free_port()}/api"]
        stamp = [sys.executable, "-m", "cookiecutter", "--no-input", "-o", str(scratch)]
        code = subprocess.run([*stamp, str(template), *answers], env=environment).returncode
        if code == 0:
            phases = ["sh", str(project / "scripts" / "execute_all_phases.sh")]
            code = subprocess.run(phases, env=environment).returncode
        if code == 0:
            print(f"\nFrom nothing to a completed, deployed run: {time.monotonic() - began:.0f} s.")
    except KeyboardInterrupt:
        code = 130
    finally:
        if keep:
            print(f"\nKept, and still running: {project}")
            print(f"Stop it with: PREFECT_HOME={scratch / 'home'} {_blueprint(project)} down")
        else:
            if _blueprint(project).exists():
                subprocess.run([str(_blueprint(project)), "down"], env=environment)
            shutil.rmtree(scratch, ignore_errors=True)
    return code


def scratch_environment(scratch: Path) -> dict[str, str]:
    """What the commands of a project in this folder shall see."""
    # Whatever of Prefect's or of a virtual environment's this shell has set stays outside.
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PREFECT_")
        and name not in ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
    }
    # uv lies beside this interpreter, and the hook looks for it on the PATH.
    path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
    return {**kept, "PATH": path, "PREFECT_HOME": str(scratch / "home")}


def _blueprint(project: Path) -> Path:
    return project / ".venv" / "bin" / "blueprint"


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    raise SystemExit(main())
