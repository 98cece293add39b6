"""The template's versions: its tags, what its files say, and whether all of these agree."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
from pathlib import Path

from packaging.version import InvalidVersion, Version

QUESTIONS, PROJECT, CHANGELOG = "cookiecutter.json", "pyproject.toml", "CHANGELOG.md"
VERSION = r"(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)"
PLACES = {
    QUESTIONS: re.compile(r'(?m)^(  "_template_version": ")([^"]*)(")'),
    PROJECT: re.compile(r'(?m)^(version = ")([^"]*)(")'),
}


class Stop(Exception):
    """Why it cannot be done, and what to do."""


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


def odd_heads(changelog: str) -> list[str]:
    """The heads of the changelog that nothing here would find."""
    heads = re.findall(r"(?m)^##(?!#).*$", changelog)
    odd = (one for one in heads if not re.fullmatch(rf"## (Unreleased|{VERSION})[ \t]*", one))
    return [f"{CHANGELOG} has the head {one!r}: it must be like '## 1.2.3'" for one in odd]


def untold(changelog: str, version: str, here: list[str], tags: list[str]) -> list[str]:
    """Where the changelog does not tell what was released: `here` before this commit, or at all."""
    told = sorted(set(sections(changelog)) - {"Unreleased"}, key=order)
    silent = [one for one in here if one not in told and one != version]
    never = [one for one in told if one not in tags and order(one) < order(version)]
    return [
        *(f"{CHANGELOG} has no section '## {one}', though v{one} is a tag" for one in silent),
        *(f"{CHANGELOG} has a section '## {one}', though there is no such tag" for one in never),
    ]


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
    told = sections(texts[CHANGELOG])
    faults += odd_heads(texts[CHANGELOG])
    heads = re.findall(rf"(?m)^## ({VERSION})[ \t]*$", texts[CHANGELOG])
    if version not in told:
        faults.append(f"{CHANGELOG} has no section '## {version}'")
    elif not told[version]:
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
    try:
        json.loads(texts[QUESTIONS])
    except ValueError as broken:
        return [f"{QUESTIONS} is no JSON: {broken}"], []
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
    faults += untold(texts[CHANGELOG], version, here, repository.tags())
    if here and order(here[0]) > order(version):
        faults.append(f"{QUESTIONS} says {version}, though {here[0]} was released before")
    return faults, []
