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
chmod +x ./[!_]*.sh
echo "executable now: $(ls ./[!_]*.sh | tr '\n' ' ')"
