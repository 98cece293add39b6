"""`make release VERSION=0.2.0` makes a release here; `make release-check` says whether all agree.

A release is a tag `v0.2.0` on main, the `_template_version` of cookiecutter.json and the version of
pyproject.toml at that commit, and a section `## 0.2.0` in CHANGELOG.md. Nothing is pushed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import subprocess
import sys
from pathlib import Path

from packaging.version import InvalidVersion, Version

TEMPLATE = Path(__file__).resolve().parents[1]
QUESTIONS, PROJECT, CHANGELOG = "cookiecutter.json", "pyproject.toml", "CHANGELOG.md"
VERSION = r"(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)"
PLACES = {
    QUESTIONS: re.compile(r'(?m)^(  "_template_version": ")([^"]*)(")'),
    PROJECT: re.compile(r'(?m)^(version = ")([^"]*)(")'),
}


class Stop(Exception):
    """Why there is no release, and what to do."""


class Repository:
    """The template's repository, asked through git."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def git(self, *arguments: str) -> str:
        """What git prints.

        Raises:
            Stop: git fails; with what it said.
        """
        done = subprocess.run(["git", *arguments], cwd=self.root, capture_output=True, text=True)
        if done.returncode:
            raise Stop(f"git {arguments[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout.strip()

    def tags(self, *options: str) -> list[str]:
        """The versions that have a tag, the newest first."""
        found = [tag[1:] for tag in self.git("tag", "--list", "v*", *options).split()]
        return sorted((one for one in found if re.fullmatch(VERSION, one)), key=order, reverse=True)

    def strays(self) -> list[str]:
        """The tags that copier takes for versions, and that `make release` would not make."""
        tags = self.git("tag", "--list").split()
        others = (tag for tag in tags if not re.fullmatch("v" + VERSION, tag))
        return sorted(tag for tag in others if is_version(tag))

    def text(self, name: str, commit: str = "") -> str:
        """A file as it stands, or in a commit; empty where it is not there."""
        if commit:
            there = self.git("ls-tree", "--name-only", commit, "--", name)
            return self.git("show", f"{commit}:{name}") if there else ""
        path = self.root / name
        return path.read_text("utf-8") if path.is_file() else ""

    def write(self, name: str, text: str) -> None:
        """Write a file with the line endings of the repository."""
        (self.root / name).write_bytes(text.encode("utf-8"))


def is_version(tag: str) -> bool:
    """Whether copier, which looks for the newest version to update to, reads a tag as one."""
    with contextlib.suppress(InvalidVersion):
        return bool(Version(tag))
    return False


def order(version: str) -> tuple[int, ...]:
    """By which versions are sorted."""
    return tuple(map(int, version.split(".")))


def version_in(name: str, text: str) -> str:
    """The version that cookiecutter.json or pyproject.toml says, or nothing."""
    found = PLACES[name].search(text)
    return found[2] if found else ""


def sections(changelog: str) -> dict[str, str]:
    """What the changelog says of each version, and of what is `Unreleased`, as it stands there."""
    parts = re.split(rf"(?m)^## (Unreleased|{VERSION})[ \t]*$", changelog)
    return dict(zip(parts[1::2], (part.strip() for part in parts[2::2]), strict=True))


def stray(tag: str) -> str:
    """What is to be done about such a tag."""
    return f"copier takes the tag {tag} for a version, which must be like v1.2.3: git tag -d {tag}"


def faults_of_files(texts: dict[str, str], version: str, *, released: bool = True) -> list[str]:
    """Where the files of one commit do not agree in a version.

    Before its release the next version is in the changelog already.
    """
    faults = []
    for name in PLACES:
        said = version_in(name, texts[name])
        if said != version:
            faults.append(f"{name} says {said or 'no version'}, not {version}")
    told = [one for one in sections(texts[CHANGELOG]) if one != "Unreleased"]
    heads = re.findall(rf"(?m)^## ({VERSION})[ \t]*$", texts[CHANGELOG])
    if version not in told:
        faults.append(f"{CHANGELOG} has no section '## {version}'")
    elif not sections(texts[CHANGELOG])[version]:
        faults.append(f"{CHANGELOG} says nothing under '## {version}'")
    elif released and heads[0] != version:
        faults.append(f"the newest section of {CHANGELOG} is {heads[0]}, not {version}")
    if heads != sorted(set(heads), key=order, reverse=True):
        faults.append(f"the sections of {CHANGELOG} are not in order, the newest first: {heads}")
    return faults


def check(repository: Repository) -> tuple[list[str], list[str]]:
    """Where tags, versions and changelog do not agree, and what could not be compared."""
    names = (*PLACES, CHANGELOG)
    version = version_in(QUESTIONS, repository.text(QUESTIONS))
    if not re.fullmatch(VERSION, version):
        return [f"{QUESTIONS} says {version or 'no version'}: it must be like 1.2.3"], []
    texts = {name: repository.text(name) for name in names}
    faults = faults_of_files(texts, version, released=False)
    if (repository.root / ".git").exists():
        faults += map(stray, repository.strays())
    if not (repository.root / ".git").exists() or not repository.tags():
        return faults, ["There is no version tag here, so only the files were compared."]
    here, shallow = (
        repository.tags("--merged", "HEAD"),
        repository.git("rev-parse", "--is-shallow-repository"),
    )
    for tag in here:
        at = {name: repository.text(name, f"v{tag}") for name in names}
        faults += [f"at the tag v{tag}, {one}" for one in faults_of_files(at, tag)]
    if shallow == "true":
        return faults, ["This clone is shallow, so a tag may be missing: none was asked for."]
    if version in repository.tags() and version not in here:
        faults.append(f"the tag v{version} is not in the history of this commit")
    elif version not in here:
        faults.append(f"{QUESTIONS} says {version}, which has no tag: make release sets both")
    if here and order(here[0]) > order(version):
        faults.append(f"{QUESTIONS} says {version}, though {here[0]} was released before")
    return faults, []


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
    newest = max([*tags, *([now] if re.fullmatch(VERSION, now) else [])], key=order, default=now)
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
    try:
        for name, text in after.items():
            repository.write(name, text)
        if after != before:
            repository.git("commit", "--quiet", "-m", f"Release {version}", "--", *PLACES)
    except (Stop, KeyboardInterrupt):
        repository.git("reset", "--quiet", "--", *PLACES)
        for name, text in before.items():
            repository.write(name, text)
        raise
    repository.git(
        "tag", "--annotate", "-m", f"{version}\n\n{sections(told)[version]}", f"v{version}"
    )
    print(f"Released {version} here. To publish it:\n    git push --atomic origin main v{version}")


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
    version = json.loads(repository.text(QUESTIONS)).get("_template_version")
    for line in [*(f"wrong: {one}" for one in faults), *notes]:
        print(line, file=sys.stderr)
    if not faults:
        print(f"{version}: versions and changelog agree{'' if notes else ', and so do the tags'}.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
