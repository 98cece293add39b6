#!/bin/sh
# phase1_execute.sh: the environment is made and checked, and the pipeline runs here once.
# Needs: Python 3.11 to 3.14. No server, no worker.

. "$(dirname -- "$0")/_blueprint.sh"
blueprint phase1 "$@"
