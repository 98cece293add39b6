"""`make release VERSION=0.2.0` makes a release here; `make release-check` says whether all agree.

A release is a tag `v0.2.0` on main, the `_template_version` of cookiecutter.json and the version of
pyproject.toml at that commit, and a section `## 0.2.0` in CHANGELOG.md. Nothing is pushed.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import sys
from pathlib import Path

from versions import (
    CHANGELOG,
    PLACES,
    QUESTIONS,
    VERSION,
    Repository,
    Stop,
    check,
    faults_of_files,
    order,
    sections,
    stray,
    version_in,
)

TEMPLATE = Path(__file__).resolve().parents[1]


def ready(repository: Repository, version: str) -> None:
    """Raise Stop unless a release can be made of what is here."""
    if not re.fullmatch(VERSION, version):
        raise Stop(f"{version!r} is no version: give one like VERSION=1.2.3, without a v.")
    branch = repository.git("branch", "--show-current")
    if branch != "main":
        raise Stop(f"This is {branch or 'no branch'}, and releases are made on main.")
    if dirty := repository.git("status", "--porcelain"):
        raise Stop(f"There are changes that are not committed:\n{dirty}")
    if strays := repository.strays():
        raise Stop("\n".join(map(stray, strays)))
    tags, now = repository.tags(), version_in(QUESTIONS, repository.text(QUESTIONS))
    if version in tags:
        raise Stop(f"The tag v{version} is there already.")
    known = [*tags, *([now] if re.fullmatch(VERSION, now) else [])]
    newest = max(known, key=order, default=version)
    if order(version) < order(newest):
        raise Stop(f"{version} is older than {newest}.")
    told = sections(repository.text(CHANGELOG))
    if not told.get(version):
        raise Stop(f"{CHANGELOG} has nothing under '## {version}': say there what changes.")
    if told.get("Unreleased"):
        raise Stop(f"{CHANGELOG} still has lines under '## Unreleased': move them to {version}.")


def release(repository: Repository, version: str) -> None:
    """Set the version where it stands, commit that if it is new, and tag the commit."""
    ready(repository, version)
    before = {name: repository.text(name) for name in PLACES}
    after = {name: PLACES[name].sub(rf"\g<1>{version}\g<3>", text) for name, text in before.items()}
    told = repository.text(CHANGELOG)
    if faults := faults_of_files(after | {CHANGELOG: told}, version):
        raise Stop("; ".join(faults) + ".")
    was, message = repository.git("rev-parse", "HEAD"), f"{version}\n\n{sections(told)[version]}\n"
    try:
        for name, text in after.items():
            repository.write(name, text)
        if after != before:
            repository.git("commit", "--quiet", "-m", f"Release {version}", "--", *PLACES)
        # As it stands there: a line that begins with # is no comment.
        repository.git("tag", "--annotate", "--cleanup=verbatim", "-m", message, f"v{version}")
    except (Stop, KeyboardInterrupt) as stop:
        raise Stop(
            f"{str(stop) or 'Interrupted.'}\n{undo(repository, version, before, was)}"
        ) from stop
    print(f"Released {version} here. To publish it:\n    git push --atomic origin main v{version}")
    back = f" && git reset --keep {was}" if after != before else ""
    print(
        f"Or, as long as nothing came after it, to take it back:\n    git tag -d v{version}{back}"
    )


def undo(repository: Repository, version: str, before: dict[str, str], was: str) -> str:
    """Bring back the files, the branch and the tags; says whether that could be done."""
    for name, text in before.items():
        repository.write(name, text)
    # A second Ctrl-C is for who means it.
    for command in (("tag", "--delete", f"v{version}"), ("reset", "--quiet", was)):
        with contextlib.suppress(Stop):
            repository.git(*command)
    if repository.git("rev-parse", "HEAD") == was and version not in repository.tags():
        return "Nothing was released, and all is as it was."
    return f"What is left of it, take back by hand: git tag -d v{version}; git reset --keep {was}"


def main(arguments: list[str] | None = None, root: Path = TEMPLATE) -> int:
    """Make a release, or check them; 0 if all is well."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("version", nargs="?", default="", help="like 1.2.3, without a v")
    parser.add_argument("--check", action="store_true", help="change nothing, and compare")
    given, repository = parser.parse_args(arguments), Repository(root)
    try:
        if not given.check:
            release(repository, given.version)
            return 0
        faults, notes = check(repository)
    except Stop as stop:
        print(stop, file=sys.stderr)
        return 1
    version = version_in(QUESTIONS, repository.text(QUESTIONS))
    for line in [*(f"wrong: {one}" for one in faults), *notes]:
        print(line, file=sys.stderr)
    if not faults:
        print(f"{version}: versions and changelog agree{'' if notes else ', and so do the tags'}.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
