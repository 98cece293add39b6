#!/bin/sh
# phase3_execute.sh: a run, a run with other parameters, a refused one, and the schedule.
# Needs: a server, a worker (`blueprint up`), and phase 2 done.

. "$(dirname -- "$0")/_blueprint.sh"
blueprint phase3 "$@"
