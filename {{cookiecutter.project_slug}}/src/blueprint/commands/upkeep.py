"""What a machine does by itself: starting with it, and deleting what is old.

Prefect is imported inside a command, never above it: it reads its settings once, at import,
and it takes seconds.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from blueprint import show
from blueprint.project import Problem, enter

UnitKind = Literal["systemd", "launchd", "procfile"]


def units(
    *,
    kind: UnitKind | None = None,
    write: Annotated[bool, Parameter(negative=())] = False,
    folder: Path | None = None,
    force: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Print, or write, what starts the server and the worker with this machine.

    User units of systemd, agents of launchd (macOS), or a Procfile (honcho, overmind, foreman),
    each with this environment's paths. A file that somebody has edited is not overwritten.
    `blueprint up` then finds what runs already, and `blueprint down` leaves it alone.

    Parameters
    ----------
    kind
        Else what this machine has.
    write
        Write them to where they belong, and say what to type then.
    folder
        Write them there instead.
    force
        Replace what somebody has edited, too.
    """
    given = os.environ.get("PREFECT_HOME")
    home = str(Path(given).expanduser().absolute()) if given else None
    into = folder.expanduser().absolute() if folder else None
    project = enter()
    from blueprint import units as rendering

    chosen = kind or ("launchd" if sys.platform == "darwin" else "systemd")
    rendered = rendering.render(chosen, project, home, into)
    for variable in ("PREFECT_API_KEY", "PREFECT_API_AUTH_STRING"):
        if os.environ.get(variable):
            show.warn(f"{variable} is set in this shell, which a unit does not see: put it in .env")
    if not write:
        for unit in rendered:
            print(f"# {unit.path}\n{unit.text}")
        print("# `blueprint units --write` writes them there and says what to type then.")
        return
    written = rendering.write(rendered, force)
    for unit in rendered:
        show.ok(f"{'wrote' if unit.path in written else 'is as it should be'}: {unit.path}")
    show.ok("then type:")
    for command in rendering.KINDS[chosen].then([unit.path for unit in rendered]):
        print(f"    {command}")


def prune(
    *,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> None:
    """Delete what is older than [tool.blueprint.limits] in pyproject.toml says.

    - Runs that ended more than runs_days ago, with their task runs, logs and artifacts: this
      project's; all of the server's where this project started the server. What waits or runs
      stays, and so does every deployment.
    - Events older than events_days: by the server itself, where this project starts it.
    - Files in quarantine that were neither written nor replayed for quarantine_days. Until then
      they stay, also when their run is deleted, and can be replayed.
    - Temporary folders that killed runs left, after work_folders_days.

    Log files need no pruning: log_megabytes and log_files bound them. The database of a server
    that this project started gets smaller with what is deleted. `blueprint up` prunes too, and
    the worker does so once a day.

    Parameters
    ----------
    dry_run
        Say what would be deleted, and delete nothing.
    as_json
        Print it as JSON.
    """
    project = enter()
    from blueprint import pruning

    if as_json:
        done = pruning.prune(project, dry_run)
        print(json.dumps(done.json(), indent=2))
    else:
        done = pruning.prune(project, dry_run, show.Progress())
        pruning.tell(done)
    if done.server:
        raise Problem("The server was not asked, so its runs are as they were.")
