#!/bin/sh
# make_executable.sh: gives the scripts their run bits, where a copy or an archive lost them.
# Needs: nothing. Call it as `sh scripts/make_executable.sh`.

set -eu
case "${1:-}" in
-h | --help)
    sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
esac
cd -- "$(dirname -- "$0")"
set -- ./[!_]*.sh ./[!_]*.py
chmod +x "$@"
echo "executable now: $*"
