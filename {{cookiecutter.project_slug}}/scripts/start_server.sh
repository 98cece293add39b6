#!/bin/sh
# start_server.sh: the Prefect server of this project, in this terminal, until Ctrl-C.
# Needs: an API address in prefect.toml that is on this machine.

. "$(dirname -- "$0")/_blueprint.sh"
blueprint server "$@"
