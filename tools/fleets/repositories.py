"""The repositories of a fleet: a list of them, and a clone of each that is the fleet's own."""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import yaml

from fleets import Problem
from fleets.children import Children

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://|[^/\\]+@[^/\\]+:|[^/\\]{2,}:")
_WITH_MORE = re.compile(r"(.*?)(?:^|\s+)([a-z-]+):(?:\s+(.*))?")


class Unusable(Exception):
    """Nothing can be done with this repository; the message says why, the log says more."""


@dataclass(frozen=True)
class Listed:
    """A repository of the list. name: what it is called in the report; folder: its clone's.

    test: its own test command, "" for none; None where the list names none.
    """

    address: str
    name: str
    test: str | None = None

    @property
    def shown(self) -> str:
        """The address without what opens it: logs and reports are passed on."""
        scheme, separator, rest = self.address.partition("://")
        user, at, host = rest.partition("@")
        return f"{scheme}://{host}" if separator and at and "/" not in user else self.address

    @property
    def folder(self) -> str:
        return f"{self.name}-{hashlib.sha256(self.address.encode()).hexdigest()[:8]}"


def read(source: str) -> list[Listed]:
    """The repositories of a list, one a line, without comments; `-` is standard input.

    A relative path begins at the list's folder. Behind an address may stand `test: COMMAND`.

    Raises:
        Problem: it cannot be read, is empty, names one twice, or has another word with a colon behind an
            address.
    """
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"The list {source} cannot be read: {error}.") from None
    beside = Path() if source == "-" else Path(source).parent
    lines: dict[str, int] = {}
    tests: dict[str, str | None] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        entry, test = _parts(line, f"The list {source} has", f"in line {number}")
        if not entry:
            continue
        address = entry if _URL.match(entry) else str((beside / Path(entry).expanduser()).resolve())
        if address in lines:
            raise Problem(f"The list {source} has {entry} in line {lines[address]} and {number}.")
        lines[address], tests[address] = number, test
    if not lines:
        raise Problem(f"The list {source} names no repository.")
    return [Listed(address, _name(address, list(lines)), tests[address]) for address in lines]


def _parts(line: str, has: str, where: str) -> tuple[str, str | None]:
    """A line's address, "" where it has none, and what stands behind its `test:`."""
    text = re.sub(r"(^|\s)#.*", "", line).strip()
    found = _WITH_MORE.fullmatch(text)
    entry, more = (found[1], found[2]) if found else (text, "")
    if more and (not entry or more != "test"):
        raise Problem(
            f"{has} '{more}:' {where}. Only 'test:' with a command, or with none, can stand there, "
            "behind an address."
        )
    if re.search(r"(?i)\stest:", entry):
        raise Problem(
            f"{has} {where} a 'test:' that is not read as one: write it small, with a space behind it."
        )
    return entry, (found[3] or "") if found else None


def _name(address: str, addresses: Sequence[str]) -> str:
    """The last part of an address, and as many before it as tell it from the others."""

    def last(one: str, count: int) -> str:
        parts = [part for part in re.split(r"[/\\:]", one) if part]
        return "-".join(parts[-count:]).removesuffix(".git") or "repository"

    for count in range(1, 4):
        shown = last(address, count)
        if [last(one, count) for one in addresses].count(shown) == 1:
            break
    return re.sub(r"[^\w.-]", "-", shown)


class Clone:
    """A clone that the fleet keeps: whatever a run before has left in it is put right."""

    def __init__(self, listed: Listed, path: Path, children: Children, log: IO[bytes]) -> None:
        self.path, self._listed = path, listed
        self._children, self._log = children, log

    def git(self, *arguments: str) -> str:
        """What git prints, run in the clone.

        Raises:
            Unusable: it fails.
        """
        code, printed = self._run(self.path, *arguments)
        if code:
            raise Unusable(f"git {arguments[0]} failed: {self._said()}")
        return printed.strip()

    def asked(self, *arguments: str) -> str | None:
        """What git prints, or None where it fails."""
        code, printed = self._run(self.path, *arguments)
        return None if code else printed

    def at(self, branch: str | None) -> str:
        """Bring the clone to what the repository has in a branch now (None: its own choice).

        Returns:
            That commit.

        Raises:
            Unusable: the repository is not there, cannot be read, or has no such branch.
        """
        if self.path.is_dir():
            # A git that was killed leaves its locks; nobody else works here.
            for lock in (self.path / ".git").rglob("*.lock"):
                lock.unlink()
            self.git("fetch", "--quiet", "--prune", "origin")
            self.asked("remote", "set-head", "origin", "--auto")
        else:
            draft = self.path.with_name(f"{self.path.name}.part")
            shutil.rmtree(draft, ignore_errors=True)
            words = ("clone", "--quiet", "--no-checkout", "--", self._listed.address, draft.name)
            if self._run(draft.parent, *words)[0]:
                raise Unusable(f"it cannot be cloned: {self._said()}")
            draft.rename(self.path)
        wanted = f"refs/remotes/origin/{branch or 'HEAD'}"
        commit = self.asked("rev-parse", "--verify", "--quiet", f"{wanted}^{{commit}}")
        if commit is None:
            raise Unusable(
                f"it has no branch {branch}"
                if branch
                else "it has no commit on a branch of its own"
            )
        self.git("checkout", "--quiet", "--force", "--detach", commit.strip())
        self.git("clean", "-ffdxq")
        return commit.strip()

    def answers(self, reference: str) -> dict[str, Any] | None:
        """What the answers file of a branch says, or None where there is no such branch."""
        if self.asked("rev-parse", "--verify", "--quiet", reference) is None:
            return None
        text = self.asked("show", f"{reference}:.copier-answers.yml")
        try:
            found = yaml.safe_load(text or "")
        except yaml.YAMLError:
            return {}
        return found if isinstance(found, dict) else {}

    def note(self, text: str) -> None:
        """Write something into the log."""
        self._log.write(text.encode())
        self._log.flush()

    def _run(self, folder: Path, *arguments: str) -> tuple[int, str]:
        self.note(f"$ git {self._without_secrets(' '.join(arguments))}\n")
        return self._children.run(["git", *arguments], folder, self._log)

    def _said(self) -> str:
        """What git has said last."""
        lines = Path(self._log.name).read_text("utf-8", "replace").strip().splitlines()
        told = [line for line in lines if line.startswith(("fatal:", "error:", " ! "))] or lines
        return self._without_secrets(told[-1].strip()) if told else "it says nothing"

    def _without_secrets(self, text: str) -> str:
        return text.replace(self._listed.address, self._listed.shown)
