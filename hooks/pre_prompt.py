"""Before the first question: stop where cookiecutter's own Python cannot run the hooks.

Written in the syntax of Python 2.7 and 3.5 alike: an old Python must be able to read this
file to be told that it is too old. The Python of the stamped project is another matter:
its bootstrap.py finds that one.
"""

import sys

NEEDED = (3, 9)  # zoneinfo, with which the timezone is checked


def main():
    if sys.version_info[:2] >= NEEDED:
        return 0
    sys.stderr.write(
        "\nThis template needs cookiecutter on Python %d.%d or newer; this is Python %d.%d (%s).\n"
        "Run cookiecutter with a newer one, for instance:\n"
        "    uvx --python 3.12 cookiecutter <template>\n"
        "    pipx run --python python3.12 cookiecutter <template>\n\n"
        % (NEEDED + tuple(sys.version_info[:2]) + (sys.executable,))
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
