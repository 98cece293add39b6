#!/bin/sh
# validate_setup.sh: checks what was stamped and edited: files there and executable, prefect.toml
# and .env, the manifest, the contract, the transform, the flow with its parameters, the port.
# Options: --json. Changes nothing. Needs: the environment (phase 1 makes it), no server.
# Exit code: 0 all checks pass; 1 there are faults, each with the command that mends it.

. "$(dirname -- "$0")/_blueprint.sh"
look validate-setup "$@"
