"""The files of the project: there, executable, and their settings ones that Prefect knows."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

from blueprint import environment, manifest
from blueprint.checking.checks import Outcome
from blueprint.checking.verdict import Finding
from blueprint.pipelines.which import PARTS
from blueprint.project import enter, read_settings
from runtime.project import ROOT

SCRIPTS = (
    *("start_server.sh", "phase1_execute.sh", "phase2_execute.sh", "phase3_execute.sh"),
    *("execute_all_phases.sh", "make_executable.sh", "validate_setup.sh", "validate_install.sh"),
    *("run_validation.py", "test_local_run.sh", "check_status.sh", "trigger_with_params.sh"),
    *("test_failure.sh", "redeploy.sh", "cleanup.sh"),
)
"""The named scripts, all to be executable."""
_HELPERS = ("_blueprint.sh", "_look.py")
_FILES = (
    *("prefect.yaml", "prefect.toml", "pyproject.toml", "requirements.lock", "bootstrap.py"),
    *(f"scripts/{name}" for name in (*SCRIPTS, *_HELPERS)),
)
EDIT_SETTINGS = "edit prefect.toml, then: scripts/validate_setup.sh"
# Its integrations and loggers have names that it does not list.
_PREFECTS_OWN = r"PREFECT_(?!LOGGING_|INTEGRATIONS_|REDIS_|PROFILE$)"
_EDIT_ENV = "edit .env, then: scripts/validate_setup.sh"


def files(outcome: Outcome) -> None:
    """Every file is there that the scripts and a deployment need."""
    extras = environment.settings().get("tool", {}).get("blueprint", {}).get("extras", [])
    wanted = [*_FILES, *(f"requirements-{extra}.lock" for extra in extras)]
    wanted += [f"src/{one}/{name}.py" for one in manifest.packages() for name in PARTS]
    missing = [name for name in wanted if not (ROOT / name).is_file()]
    if missing:
        outcome.fault(f"missing: {', '.join(missing)}", f"git checkout -- {' '.join(missing)}")
    outcome.found = f"{len(wanted) - len(missing)} files"


def executable(outcome: Outcome) -> None:
    """The scripts can be started by their names."""
    there = [ROOT / "scripts" / name for name in SCRIPTS]
    flat = [path.name for path in there if path.is_file() and not os.access(path, os.X_OK)]
    if flat:
        outcome.fault(f"not executable: {', '.join(flat)}", "sh scripts/make_executable.sh")
    outcome.found = f"{len(SCRIPTS)} scripts"


def settings(outcome: Outcome) -> None:
    """prefect.toml names one API, and each of its keys is one that Prefect knows."""
    project = enter()
    outcome.found = project.api_url
    from prefect.settings import Settings, get_current_settings

    get_current_settings()  # raises where it refuses a value
    for key in _unknown(read_settings(), Settings, ""):
        outcome.fault(
            f"prefect.toml sets {key}, which Prefect does not know and passes over; mistyped?",
            EDIT_SETTINGS,
        )


def _unknown(given: Mapping[str, Any], model: Any, above: str) -> Iterator[str]:
    for key, value in given.items():
        known = model.model_fields.get(key)
        if known is None:
            yield above + key
        elif isinstance(value, dict) and hasattr(known.annotation, "model_fields"):
            yield from _unknown(value, known.annotation, f"{above}{key}.")


def dotenv(outcome: Outcome) -> None:
    """Each line of .env is NAME=value, and git does not hold it."""
    path = ROOT / ".env"
    if not path.is_file():
        outcome.found = "there is none, which is fine"
        return
    from dotenv.parser import parse_stream
    from prefect.settings import Settings
    from prefect.settings.legacy import _get_valid_setting_names  # Prefect tells it nowhere else

    known = _get_valid_setting_names(Settings)
    with path.open(encoding="utf-8") as file:
        bindings = list(parse_stream(file))
    for one in bindings:
        place = f".env, line {one.original.line}"
        if one.error or (one.key and one.value is None):
            # The line itself may hold a secret.
            outcome.fault(f"{place} is not NAME=value", _EDIT_ENV)
        elif one.key and one.key not in known and re.match(_PREFECTS_OWN, one.key):
            what = f"{place} sets {one.key}, which Prefect does not know; mistyped?"
            outcome.note(what, _EDIT_ENV)
    outcome.found = f"{sum(1 for one in bindings if one.key)} variables"
    _guarded(outcome)


def _guarded(outcome: Outcome) -> None:
    """.env may hold keys: it belongs neither into git nor before other users' eyes."""
    try:
        asked = ["git", "ls-files", "--error-unmatch", ".env"]
        held = subprocess.run(asked, cwd=ROOT, capture_output=True).returncode == 0
    except OSError:  # no git here
        held = False
    if held:
        what = "git holds .env, which may hold keys; what it held stays in git's history"
        outcome.wrong.append(Finding(what, "git rm --cached .env"))
    if os.name != "nt" and (ROOT / ".env").stat().st_mode & 0o077:
        outcome.note("other users of this machine may read .env", "chmod 600 .env")
