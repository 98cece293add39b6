#!/bin/sh
# check_status.sh: what is wrong, the command that mends it, how far the phases are, what is next;
# then server, pool, worker, queue, deployments, schedule, last runs, quarantine and disk.
# Options: --json. Changes nothing, and needs nothing: what is not there yet, it says.
# Exit code: 0 all is in order; 1 something is wrong; 2 nothing is, and a phase is pending.

. "$(dirname -- "$0")/_blueprint.sh"
look status "$@"
