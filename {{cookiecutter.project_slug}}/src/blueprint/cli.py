"""`blueprint …`: one command for each script; the commands stand in `blueprint.commands`."""

from __future__ import annotations

import sys

from cyclopts import App, CycloptsError

from blueprint.commands import (
    checks,
    phases,
    pipelines,
    processes,
    records,
    runs,
    updates,
    upkeep,
)
from blueprint.project import Problem
from ingest.errors import PipelineError

app = App(
    name="blueprint",
    help="Check, deploy, run and stop this project's pipelines.",
    version_flags=[],
    result_action="return_value",
    # Its own way is to end without a word; what is said of Ctrl-C stands below.
    suppress_keyboard_interrupt=False,
)

app.command(phases.all_phases, name="all")
app.command(processes.open_ui, name="open")
for command in (
    *(phases.phase1, phases.phase2, phases.phase3, phases.deploy, phases.lint),
    *(phases.redeploy, phases.cleanup),
    *(processes.up, processes.down, processes.logs, processes.server, processes.worker),
    *(upkeep.prune, upkeep.units, updates.update, updates.reconfigure),
    *(checks.status, checks.validate_setup, checks.validate_install, checks.validate),
    *(checks.test_local, runs.run, runs.test_failure),
    *(records.infer_contract, records.preview, records.replay_quarantine),
    *(pipelines.add_pipeline, pipelines.remove_pipeline),
):
    app.command(command)


def main() -> None:
    """The console script: a fault that a person can mend ends with its message and exit code 1."""
    try:
        app(sys.argv[1:], exit_on_error=False)
    except CycloptsError as error:
        # It has said what is wrong; 2 is what a script takes for "there is a newer template".
        sys.exit(1 if error.command_chain == ("update",) else 2)
    except (Problem, PipelineError) as problem:
        print(f"\nblueprint: {problem}", file=sys.stderr)
        sys.exit(getattr(problem, "code", 1))
    except Exception as error:
        if not type(error).__module__.startswith(("prefect.", "httpx")):
            raise
        # What the server says of a request is for a person; how it came to that is not.
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        print(
            f"\nblueprint: the Prefect server did not do what was asked: {reason}", file=sys.stderr
        )
        print(
            "Does `blueprint status` say more? Is the address in prefect.toml right?",
            file=sys.stderr,
        )
        sys.exit(1)
    except KeyboardInterrupt:
        print("\nblueprint: stopped; the same command goes on from here.", file=sys.stderr)
        sys.exit(130)
