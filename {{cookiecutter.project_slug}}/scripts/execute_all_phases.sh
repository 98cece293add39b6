#!/bin/sh
# execute_all_phases.sh: all three phases, one after the other, by themselves.
# Starts the server and a worker in the background where none is running, and leaves them
# running; `blueprint down` stops them. Ends with a table of the runs and the next scheduled one.
# Needs: Python 3.11 to 3.14. Asks nothing.

. "$(dirname -- "$0")/_blueprint.sh"
blueprint all "$@"
