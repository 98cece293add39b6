#!/bin/sh
# cleanup.sh: removes from the server what this project has deployed: its deployments, their runs
# that have not begun, its automations, and the work pool if this project made it and nobody else
# uses it. Keeps the code, the data, the history of runs, and whatever belongs to another project.
# Asks first; --yes does not. Without a terminal it does nothing unless --yes is given.
# --dry-run only shows; --json for scripts, with --yes or --dry-run.
# Exit code: 0 removed, or nothing there; 1 not confirmed, or failed.
# Needs: a server.

. "$(dirname -- "$0")/_blueprint.sh"
blueprint cleanup "$@"
