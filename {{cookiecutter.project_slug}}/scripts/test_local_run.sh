#!/bin/sh
# test_local_run.sh: runs the whole pipeline here, without server, worker and deployment.
# Into a scratch target, which is removed at the end: the warehouse and the quarantine folder are
# not touched (`blueprint run --local` loads into the target that prefect.yaml gives).
# Options: --param name=value, as often as wanted; --keep leaves the scratch target there; --json.
# Needs: Python 3.11 to 3.14. Exit code: 0 if the run completed and loaded a row, else 1.

. "$(dirname -- "$0")/_blueprint.sh"
blueprint test-local "$@"
