"""What is stamped is green as it stands, on every supported Python."""

from __future__ import annotations

import csv
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from bake import CHECKS
from conftest import not_run
from living import Living

SYSTEMS = ("win32", "darwin")
pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "name",
    [
        "Enterprise Data Pipeline",
        """Müller's "Q3" Ledger""",
        "売上 and a very long name " * 4 + "x",
    ],
    ids=["default", "quotes", "long"],
)
def test_its_own_checks_pass_with_no_fixing_pass_first(
    name: str, stamp_into: Callable[..., Path], tmp_path: Path
) -> None:
    path = stamp_into(
        tmp_path / "stamped", project_name=name, project_slug="a-project", create_venv=True
    )
    living = Living(path, "", tmp_path / "home" / "prefect")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@t"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "stamped"]):
        subprocess.run([*git, *arguments], cwd=path, check=True)
    # The slowest of the checks says nothing new about another name, save that the flow has it.
    checks = CHECKS if name.isascii() else (*CHECKS[:-1], ("pytest", "-m", "not slow"))
    # As on the systems where CI runs them alone.
    checks = (*(("pyrefly", "check", "--python-platform", one) for one in SYSTEMS), *checks)
    for tool, *arguments in checks:
        living.in_project(living.tool(tool), *arguments)
    status = subprocess.run(
        [*git, "status", "--porcelain"], cwd=path, check=True, capture_output=True, text=True
    )
    assert status.stdout == ""


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_it_lands_rows_on_every_supported_python(
    version: str,
    stamp_into: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BLUEPRINT_PYTHON", _interpreter(version))
    path = stamp_into(tmp_path / "stamped", create_venv=True)
    living = Living(path, "", tmp_path / "home" / "prefect")
    printed = living.script("phase1_execute.sh")
    assert f"Python {version}." in printed
    assert "loaded 3000 into orders" in printed


def test_a_source_that_the_template_has_never_seen_lands_whole_in_phase_1(
    stamp_into: Callable[..., Path], tmp_path: Path
) -> None:
    source = tmp_path / "trips.csv"
    with source.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Trip ID", "start", "zip", "class", "fare", "riders", "note"])
        for n in range(4000):
            # What comes late, and what only looks like a number or like nothing.
            riders, note = n % 4 or "NA", 'he said "no",\nand left' if n > 3000 else ""
            start, kind = f"2026-0{1 + n % 9}-01T0{n % 10}:30:00", "lux" if n % 3 else "eco"
            writer.writerow([f"T{n}", start, f"{n:05d}", kind, f"{n / 100:.2f}", riders, note])
    path = stamp_into(tmp_path / "stamped", create_venv=True, source_url=str(source))
    living = Living(path, "", tmp_path / "home" / "prefect")
    printed = living.script("phase1_execute.sh")
    assert "7 columns, inferred from 4,000 records" in printed
    assert "table trips, key Trip ID" in printed
    assert living.rows("trips") == 4000
    for tool, *arguments in CHECKS[:-1]:
        living.in_project(living.tool(tool), *arguments)
    living.in_project(living.tool("pytest"), "-m", "not slow")


def _interpreter(version: str) -> str:
    """A Python of that version that runs; a name on the PATH may be a shim that does not."""
    known = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [f"python{version}", *map(str, sorted(known.glob(f"{version}.*/bin/python")))]
    for command in found:
        try:
            code = "import sys, ensurepip; print('%d.%d' % sys.version_info[:2])"
            done = subprocess.run([command, "-c", code], capture_output=True, text=True)
        except OSError:
            continue
        if done.returncode == 0 and done.stdout.strip() == version:
            return command
    return not_run(f"Python {version} (no interpreter of that version runs on this machine)")
