#!/bin/sh
# test_failure.sh: makes the pipeline fail on purpose, and shows that it fails as it should: a
# source that fails twice and then answers, one that never answers, a wrong parameter, a bad
# contract. Shows Prefect's retries from the logs. Runs the flow here, with a temporary server, on
# records cut from this project's own source, into a scratch target: no row, no run and no
# notification reaches anything that counts, and nothing is left behind. --json for scripts.
# Exit code: 0 each ended as it should; 1 one did not, or could not be tried.
# Needs: the source, once. No server, no worker.

. "$(dirname -- "$0")/_blueprint.sh"
blueprint test-failure "$@"
