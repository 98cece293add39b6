#!/bin/sh
# validate_install.sh: checks what was installed: the Python, every package against the locks,
# Prefect, and the API: whether it answers and its version goes with this Prefect.
# Options: --json; --server, for a server that is not started yet to be a fault.
# Changes nothing. Needs: the environment (phase 1 makes it).
# Exit code: 0 all checks pass, also where this machine's server is not started yet; 1 faults.

. "$(dirname -- "$0")/_blueprint.sh"
look validate-install "$@"
