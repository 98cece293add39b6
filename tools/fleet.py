"""Many projects at once: stamped from a table of answers, and kept on one template.

    python tools/fleet.py stamp projects.csv --into projects --git
    python tools/fleet.py update repositories.txt --check
    python tools/fleet.py update repositories.txt --push
    python tools/fleet.py reconfigure repositories.txt timezone=Europe/Berlin

docs/FLEET.md says more, and each command with --help.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import Any

from clean_copy import TEMPLATE
from fleets import Problem, report, stamping, updating
from fleets import repositories as listing
from fleets.answers import Questions
from fleets.wishes import Wish, default_checks


def main() -> int:
    """0: all well. 1: something failed. 2: some are behind or in conflict."""
    # Whoever ends this process has its children ended first, as with Ctrl-C.
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)
    asked = _parser().parse_args()
    try:
        return asked.command(asked)
    except Problem as problem:
        print(f"\nfleet: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nfleet: stopped; the same command goes on from here.", file=sys.stderr)
        return 130


def stamp(asked: argparse.Namespace) -> int:
    """Stamp a project for each row of a table."""
    stamping.need_a_clone()
    questions = Questions(TEMPLATE)
    into = asked.into.resolve()
    rows = stamping.plan(asked.table, into, questions, asked.skip_existing)
    if asked.check:
        report.note(f"{asked.table}: {len(rows)} rows, and each can be stamped.")
        return 0
    if asked.git:
        stamping.need_a_committer(into)
    for text in stamping.notes(questions.version):
        report.note(text)
    with report.progress("Stamping", len(rows)) as tell:
        done = stamping.stamp_all(
            rows,
            into,
            source=asked.source or stamping.address(),
            git=asked.git,
            jobs=asked.jobs,
            tell=lambda one: tell(one.slug, one.state),
        )
    states = [one.state for one in done]
    if asked.json:
        report.data({"into": str(into), "projects": [one.as_json() for one in done]})
    else:
        cells = [(one.row, one.slug, one.state, f"{one.seconds:.0f}", one.reason) for one in done]
        report.table(("row", "project", "state", "seconds", "why"), cells, states)
    return 1 if "failed" in states else 0


def update(asked: argparse.Namespace) -> int:
    """Bring each repository of a list to the newest template, on a branch."""
    return _update(asked, ())


def reconfigure(asked: argparse.Namespace) -> int:
    """Change answers in each repository of a list, on a branch; the template stays as it is."""
    given = Questions(TEMPLATE).changes(asked.answer)
    return _update(asked, tuple(f"{key}={value}" for key, value in given.items()))


def _update(asked: argparse.Namespace, answers: tuple[str, ...]) -> int:
    if asked.check and (asked.push or asked.vcs_ref):
        raise Problem(
            "--check only looks for the newest release: it goes without --push, --vcs-ref."
        )
    repositories = listing.read(asked.list)
    if not asked.check:
        stamping.need_a_committer(Path())
    wish = Wish(
        version=asked.vcs_ref,
        answers=answers,
        branch=asked.branch,
        base=asked.base,
        test=asked.test_command,
        seconds=asked.test_minutes * 60,
        check=asked.check,
        push=asked.push,
    )
    with report.progress("Checking" if asked.check else "Updating", len(repositories)) as tell:
        done = updating.update_all(
            repositories,
            wish,
            asked.work.resolve(),
            jobs=asked.jobs,
            tell=lambda one: tell(one.name, one.state),
        )
    if asked.json:
        report.data({"repositories": [one.as_json() for one in done]})
    else:
        report.outcomes(done)
    states = {one.state for one in done}
    return 1 if "failed" in states else 2 if states & {"behind", "conflict"} else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    one = _command(commands, stamp)
    one.add_argument("table", type=Path, help="CSV or YAML: a column for each answer, all optional")
    one.add_argument("--into", type=Path, default=Path(), help="the folder they are stamped into")
    one.add_argument("--git", action="store_true", help="make a repository and a first commit")
    one.add_argument(
        "--skip-existing", action="store_true", help="leave a project alone whose folder is there"
    )
    one.add_argument("--check", action="store_true", help="check the table, and stamp nothing")
    one.add_argument(
        "--source", help="where their updates come from (default: where this clone came from)"
    )
    for function in (update, reconfigure):
        _update_options(_command(commands, function), function is reconfigure)
    return parser


def _update_options(one: argparse.ArgumentParser, answers: bool) -> None:
    one.add_argument(
        "list",
        help="a file of git addresses or paths, one a line, with 'test: COMMAND' behind one that "
        "is tested otherwise than the rest; - for stdin",
    )
    if answers:
        one.add_argument("answer", nargs="+", metavar="key=value", help="an answer to be changed")
        one.set_defaults(vcs_ref="")
    else:
        one.add_argument(
            "--vcs-ref",
            default="",
            help="the template's tag, branch or commit (default: newest tag)",
        )
    one.add_argument("--check", action="store_true", help="only look which are behind")
    one.add_argument("--push", action="store_true", help="push each branch to its repository")
    one.add_argument(
        "--branch", default="", help="the branch's name (default: it says what is on it)"
    )
    one.add_argument("--base", default="", help="the branch that is updated (default: theirs)")
    one.add_argument(
        "--test-command",
        default=default_checks(),
        help="run in each clone before the commit, save where the list names another; '' for none "
        "(default: the project's own checks)",
    )
    one.add_argument(
        "--test-minutes", type=float, default=30, help="how long that may take (default: 30)"
    )
    one.add_argument(
        "--work", type=Path, default=Path(".fleet"), help="the folder of clones and logs (.fleet)"
    )


def _command(commands: Any, function: Any) -> argparse.ArgumentParser:
    """A command of that function's name and docstring, with the options that all have."""
    name, told = function.__name__, function.__doc__
    one = commands.add_parser(name, help=told.splitlines()[0], description=told)
    one.set_defaults(command=function)
    one.add_argument(
        "--jobs", type=_positive, default=os.cpu_count() or 1, help="how many at a time"
    )
    one.add_argument("--json", action="store_true", help="print JSON in place of the table")
    return one


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of 1 and more")
    return int(text)


if __name__ == "__main__":
    raise SystemExit(main())
