# Sourced by the scripts beside it: answers --help, and gives the two commands that a script
# is made of. `blueprint` has the environment made where it is missing or old; `look` makes
# nothing: where there is no environment, it says so.

set -eu

case "${1:-}" in
-h | --help)
    sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
esac

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

# A name on the PATH may be a shim that runs nothing, so each is tried before it is believed.
find_python() {
    old=
    for python in python3 python3.13 python3.12 python3.11 python3.14 python "$root/.venv/bin/python"; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 8))' >/dev/null 2>&1; then
            return 0
        fi
        [ -n "$old" ] || old=$("$python" --version 2>&1) || old=
    done
    echo "No Python 3.11 to 3.14 was found${old:+: $old is too old}." >&2
    echo "Install one (python.org, or \`apt install python3 python3-venv\`), then run this again." >&2
    exit 1
}

find_bin() {
    bin="$root/.venv/bin"
    [ -d "$bin" ] || bin="$root/.venv/Scripts"
}

blueprint() {
    find_python
    # What it tells is no part of what the command prints, which may be JSON.
    "$python" "$root/bootstrap.py" --quiet >&2
    find_bin
    exec "$bin/blueprint" "$@"
}

look() {
    find_bin
    python="$bin/python"
    "$python" -c '' >/dev/null 2>&1 || find_python
    exec "$python" "$root/scripts/_look.py" "$@"
}
