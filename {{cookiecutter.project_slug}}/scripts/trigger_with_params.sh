#!/bin/sh
# trigger_with_params.sh: triggers a run of the deployment with parameters of your own, shows its
# log as it comes, and ends when the run ends. --param name=value as often as there are parameters
# to set; --pipeline NAME for another one than the first; --no-watch; --json for scripts.
#     scripts/trigger_with_params.sh --param batch_size=5000 --param mode=incremental
# A parameter that does not fit is refused with the flow's own reason, before a run is made.
# Exit code: 0 Completed, 2 Failed, 3 Crashed, 4 Cancelled, 5 no worker took it; 1 no run was
# made (refused, not deployed, no server); 6 the server was lost while the run was watched;
# 130 Ctrl-C, and the run goes on.
# Needs: a server, a worker (`blueprint up`), and phase 2 done.

. "$(dirname -- "$0")/_blueprint.sh"
blueprint run "$@"
