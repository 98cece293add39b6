"""`make durations`: measures each step of the phases, and writes the table of the guide.

A project with the default answers, a new PREFECT_HOME and a free port, on this machine as it is: so
have nothing else run. Nothing is left behind.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from clean_copy import TEMPLATE, clean_copy
from demo import free_port, scratch_environment

GUIDE = TEMPLATE / "{{cookiecutter.project_slug}}" / "docs" / "EXECUTION_INSTRUCTIONS.md"
PATIENCE = 180


def main() -> int:
    """Measure, then write."""
    load = os.getloadavg()[0]
    scratch = Path(tempfile.mkdtemp(prefix="prefect-blueprint-durations-"))
    project = scratch / "enterprise-data-pipeline"
    environment = scratch_environment(scratch)
    api = f"http://127.0.0.1:{free_port()}/api"
    terminals: list[subprocess.Popen[bytes]] = []

    def typed(*command: str) -> float:
        began = time.monotonic()
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(command, cwd=project, env=environment, check=True, **quiet)
        return time.monotonic() - began

    def opened(ready: Callable[[], bool], *command: str) -> float:
        began = time.monotonic()
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        terminals.append(subprocess.Popen(command, cwd=project, env=environment, **quiet))
        while not ready():
            if time.monotonic() - began > PATIENCE or terminals[-1].poll() is not None:
                raise SystemExit(f"{' '.join(command)} was not ready in {PATIENCE} s")
            time.sleep(0.1)
        return time.monotonic() - began

    try:
        template = clean_copy(scratch / "template")
        answers = [f"prefect_api_url={api}", "create_venv=false"]
        stamp = [sys.executable, "-m", "cookiecutter", "--no-input", "-o", str(scratch)]
        subprocess.run([*stamp, str(template), *answers], env=environment, check=True)
        blueprint = str(project / ".venv" / "bin" / "blueprint")
        rows = [
            ("the environment, with uv and its cache", typed("python3", "bootstrap.py")),
            ("phase 1", typed("scripts/phase1_execute.sh")),
            ("the server, until it answers", opened(_answers(api), "scripts/start_server.sh")),
            ("phase 2", typed("scripts/phase2_execute.sh")),
            ("the worker, until it is online", opened(_works(api), blueprint, "worker")),
            ("phase 3", typed("scripts/phase3_execute.sh")),
            ("a run on demand", typed(blueprint, "run")),
        ]
    finally:
        for one in reversed(terminals):
            one.terminate()
            with suppress(subprocess.TimeoutExpired):
                one.wait(timeout=60)
            one.kill()
        shutil.rmtree(scratch, ignore_errors=True)
    _write(rows, load)
    return 0


def _answers(api: str) -> Callable[[], bool]:
    def answers() -> bool:
        with suppress(OSError), urllib.request.urlopen(f"{api}/health", timeout=5) as answer:
            return answer.status == 200
        return False

    return answers


def _works(api: str) -> Callable[[], bool]:
    def works() -> bool:
        asked = urllib.request.Request(
            f"{api}/work_pools/local-process-pool/workers/filter", b"{}", method="POST"
        )
        asked.add_header("Content-Type", "application/json")
        with suppress(OSError), urllib.request.urlopen(asked, timeout=5) as answer:
            return b"ONLINE" in answer.read()
        return False

    return works


def _write(rows: list[tuple[str, float]], load: float) -> None:
    """load: how many processes wanted to run before it began; a busy machine is told of."""
    lines = ["| step | seconds |", "| --- | ---: |"]
    lines += [f"| {what} | {seconds:.0f} |" for what, seconds in rows]
    lines += [f"| all of them | {sum(seconds for _, seconds in rows):.0f} |", ""]
    lines.append(
        f"Measured on {datetime.now(UTC):%Y-%m-%d} with {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, a new database and the bundled sample."
    )
    if load > 1:
        lines.append(
            f"Other work kept the machine busy (load {load:.0f}), so it is quicker elsewhere."
        )
    table = "\n".join(lines)
    print(table)
    text = GUIDE.read_text("utf-8")
    begin, end = "<!-- durations:begin -->\n", "<!-- durations:end -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    GUIDE.write_text(pattern.sub(lambda _: f"{begin}{table}\n{end}", text), "utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
