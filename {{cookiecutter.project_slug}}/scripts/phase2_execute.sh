#!/bin/sh
# phase2_execute.sh: the manifest is checked, the work pool made, the flow deployed, and what
# the server then holds is compared with prefect.yaml.
# Needs: a server (start_server.sh, or `blueprint up`).

. "$(dirname -- "$0")/_blueprint.sh"
blueprint phase2 "$@"
