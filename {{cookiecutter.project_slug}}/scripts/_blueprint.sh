# Sourced by the scripts beside it: answers --help, has the environment made where it is
# missing or old, and gives `blueprint`, the command behind each script.

set -eu

case "${1:-}" in
-h | --help)
    sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
esac

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

# A name on the PATH may be a shim that runs nothing, so each is tried before it is believed.
for python in python3 python3.13 python3.12 python3.11 python3.14 python "$root/.venv/bin/python"; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 8))' >/dev/null 2>&1; then
        "$python" "$root/bootstrap.py" --quiet
        bin="$root/.venv/bin"
        [ -d "$bin" ] || bin="$root/.venv/Scripts"
        blueprint() { exec "$bin/blueprint" "$@"; }
        return 0
    fi
done

echo "No Python was found. Install Python 3.11 to 3.14, then run this again." >&2
exit 1
