#!/bin/sh
# redeploy.sh: checks the manifest, shows where the server differs from it, deploys, and puts
# right what Prefect leaves: old schedules, deployments and automations, runs in another pool.
# What an operator has paused stays paused. --dry-run only shows; --json for scripts.
# Exit code: 0 the server holds what prefect.yaml says; with --dry-run, 2 where it does not;
# 1 where the manifest has faults, the deployment is another project's, or deploying failed.
# Needs: a server (start_server.sh, or `blueprint up`).

. "$(dirname -- "$0")/_blueprint.sh"
blueprint redeploy "$@"
