"""Updating many repositories: each in a clone of its own, tested, committed on a branch."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from fleets import Problem
from fleets.children import Children, in_parallel
from fleets.repositories import Clone, Listed, Unusable

_MERGING = Path(__file__).with_name("merging.py")
_BIN = ".venv/Scripts" if os.name == "nt" else ".venv/bin"
CHECKS = (
    ("bootstrap.py", "--quiet"),
    (f"{_BIN}/ruff", "format", "--check", "."),
    (f"{_BIN}/ruff", "check", "."),
    (f"{_BIN}/pyrefly", "check"),
    ("scripts/run_validation.py",),
    (f"{_BIN}/pytest",),
)
"""What a project's own workflow runs on each push."""


@dataclass(frozen=True)
class Wish:
    """What shall be done with each repository.

    version: the template's, as copier names it; "" for the newest release. answers: to be changed,
    as key=value. branch: "" for one that says what is on it. base: "" for the repository's own.
    test: a command for the shell; "" for none. seconds: what that may take.
    """

    version: str
    answers: tuple[str, ...]
    branch: str
    base: str
    test: str
    seconds: float
    check: bool
    push: bool


@dataclass
class Outcome:
    """What became of a repository.

    state: `current`, `updated`, `conflict`, `behind` or `failed`. was, now: the template's version.
    branch: where the result is; pushed: whether the repository has it. files: in conflict, with
    the reason of each. deleted: what the template has no longer, and the branch neither.
    """

    name: str
    address: str
    state: str = "failed"
    was: str = ""
    now: str = ""
    branch: str = ""
    pushed: bool = False
    files: list[dict[str, str]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    why: str = ""
    log: str = ""
    clone: str = ""
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def default_checks() -> str:
    """The project's own checks, as a command for the shell."""
    commands = [
        f'"{sys.executable}" {" ".join(one)}' if one[0].endswith(".py") else " ".join(one)
        for one in CHECKS
    ]
    return " && ".join(commands)


def update_all(
    repositories: Sequence[Listed],
    wish: Wish,
    work: Path,
    *,
    jobs: int,
    tell: Callable[[Outcome], Any],
) -> list[Outcome]:
    """Do it with all of them.

    Raises:
        Problem: another fleet is at work in the same folder.
    """
    work.mkdir(parents=True, exist_ok=True)
    children = Children()
    with _alone(work):
        return in_parallel(
            repositories, lambda one: _Update(one, wish, work, children).run(), jobs, children, tell
        )


class _Update:
    """One repository's update."""

    def __init__(self, listed: Listed, wish: Wish, work: Path, children: Children) -> None:
        self._listed, self._wish, self._work, self._children = listed, wish, work, children
        self._log = work / f"{listed.folder}.log"
        self._outcome = Outcome(listed.name, _shown(listed.address), log=str(self._log))
        self._outcome.clone = str(work / listed.folder)

    def run(self) -> Outcome:
        began = time.monotonic()
        with self._log.open("wb") as log:
            try:
                self._update(log)
            except (Unusable, OSError) as error:
                self._outcome.state, self._outcome.why = "failed", str(error)
        self._outcome.seconds = round(time.monotonic() - began, 1)
        return self._outcome

    def _update(self, log: IO[bytes]) -> None:
        clone = Clone(self._listed, self._work, self._children, log)
        base = clone.at(self._wish.base or None)
        outcome, merged = self._outcome, self._merge(clone, log)
        outcome.was, outcome.now = merged.get("from", ""), merged.get("to", "")
        outcome.why, outcome.files = merged.get("why", ""), merged.get("files", [])
        outcome.state = merged["state"]
        if outcome.state in ("failed", "current"):
            return
        branch = self._wish.branch or _branch(merged["to"], self._wish.answers)
        if self._is_there(clone, branch, base, merged["answers"]):
            outcome.state, outcome.branch, outcome.files = "updated", branch, []
        elif self._wish.check:
            outcome.state = "behind"
        elif outcome.state == "changed":
            outcome.deleted = merged["deleted"]
            self._commit(clone, branch, log)
        if outcome.state == "updated" and self._wish.push and not self._wish.check:
            self._push(clone, branch)

    def _merge(self, clone: Clone, log: IO[bytes]) -> dict[str, Any]:
        """Have it merged in the clone; what merging.py says of it."""
        task = "check" if self._wish.check else "bring"
        version = ["--vcs-ref", self._wish.version] if self._wish.version else []
        with tempfile.TemporaryDirectory(prefix="fleet-", ignore_cleanup_errors=True) as scratch:
            words = [str(_MERGING), str(clone.path), scratch, task, *version, *self._wish.answers]
            code, printed = self._children.run([sys.executable, *words], clone.path, log)
        if code:
            raise Unusable("the merge broke off; the log says more")
        return json.loads(printed.splitlines()[-1])

    def _is_there(self, clone: Clone, branch: str, base: str, answers: str) -> bool:
        """Whether a branch of that name brings the project to these answers already.

        Whatever a person has added to a branch that was pushed stays.

        Raises:
            Unusable: the repository's branch of that name is another one.
        """
        there = clone.answers_on(f"origin/{branch}")
        if there is not None:
            if there != answers:
                raise Unusable(
                    f"it has a branch {branch} with something else on it: delete it, or name "
                    "another with --branch"
                )
            self._outcome.pushed = True
            return True
        own = clone.asked("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}~1")
        return own is not None and own.strip() == base and clone.answers_on(branch) == answers

    def _commit(self, clone: Clone, branch: str, log: IO[bytes]) -> None:
        """Test what was merged, and commit it on the branch; neither where the tests fail."""
        if self._wish.test:
            log.write(f"\n$ {self._wish.test}\n".encode())
            log.flush()
            try:
                test = self._children.run(
                    self._wish.test, clone.path, log, seconds=self._wish.seconds
                )
            except TimeoutError as error:
                raise Unusable(f"its tests were ended: {error}") from None
            if test[0]:
                raise Unusable(f"its tests ended with {test[0]}: {_last(test[1], self._log)}")
            # Some hundred megabytes, which bootstrap.py makes again.
            shutil.rmtree(clone.path / ".venv", ignore_errors=True)
        clone.git("commit", "--quiet", "-m", self._message())
        clone.git("branch", "--force", branch)
        self._outcome.state, self._outcome.branch = "updated", branch

    def _message(self) -> str:
        was, now = self._outcome.was, self._outcome.now
        if self._wish.answers:
            return f"Change {', '.join(_keys(self._wish.answers))}\n\nOf the template's answers."
        return f"Update the template from {was} to {now}"

    def _push(self, clone: Clone, branch: str) -> None:
        if not self._outcome.pushed:
            clone.git("push", "--quiet", "origin", f"refs/heads/{branch}:refs/heads/{branch}")
            self._outcome.pushed = True


def _branch(version: str, answers: Sequence[str]) -> str:
    """A branch for this version, or for these answers."""
    if not answers:
        return f"blueprint-{version}"
    mark = hashlib.sha256("\n".join(sorted(answers)).encode()).hexdigest()[:8]
    return f"blueprint-{'-'.join(_keys(answers))}-{mark}".replace("_", "-")


def _keys(answers: Sequence[str]) -> list[str]:
    return sorted(one.partition("=")[0] for one in answers)


def _shown(address: str) -> str:
    """An address without what opens it."""
    scheme, separator, rest = address.partition("://")
    user, at, host = rest.partition("@")
    return f"{scheme}://{host}" if separator and at and "/" not in user else address


def _last(printed: str, log: Path) -> str:
    text = printed.strip() or log.read_text("utf-8", "replace").strip()
    return text.splitlines()[-1].strip() if text else "they printed nothing"


@contextmanager
def _alone(work: Path) -> Iterator[None]:
    """Hold the folder for this process, where the system can tell; ends with us."""
    with (work / "lock").open("w") as lock:
        if os.name != "nt":
            import fcntl

            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Problem(
                    f"Another fleet is at work in {work}: wait for it, or name another --work."
                ) from None
        yield
