"""Updating many repositories: each in a clone of its own, tested, committed on a branch."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from fleets import Problem
from fleets.children import Children, environment, in_parallel
from fleets.repositories import Clone, Listed, Unusable
from fleets.wishes import Outcome, Wish, branch_for, has, keys

_MERGING = Path(__file__).with_name("merging.py")


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
    children, known = Children(), _Releases()

    def update(one: Listed) -> Outcome:
        return _Update(one, wish, work, children, known).run()

    with _alone(work):
        return in_parallel(repositories, update, jobs, children, tell)


class _Releases:
    """What `blueprint update --check` has told: the same for all of one template and version."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], tuple[str, bool]] = {}

    def newest(
        self, answers: dict[str, Any], ask: Callable[[], tuple[str, bool]]
    ) -> tuple[str, bool]:
        """The newest version of a project's template, and whether the project is behind it."""
        key = (str(answers.get("_src_path")), str(answers.get("_commit")))
        if key not in self._told:
            self._told[key] = ask()
        return self._told[key]


class _Update:
    """One repository's update."""

    def __init__(
        self, listed: Listed, wish: Wish, work: Path, children: Children, releases: _Releases
    ) -> None:
        self._listed, self._wish, self._work, self._children = listed, wish, work, children
        self._releases = releases
        self._log = work / f"{listed.folder}.log"
        self._outcome = Outcome(listed.name, listed.shown, log=str(self._log))
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
        clone = Clone(self._listed, self._work / self._listed.folder, self._children, log)
        base = clone.at(self._wish.base or None)
        outcome, wish = self._outcome, self._wish
        version, behind = self._looked(clone)
        if not behind:
            outcome.state, outcome.now = "current", outcome.was
            return
        outcome.now = version
        if version and self._is_there(clone, base, version):
            outcome.state = "behind" if wish.check else "updated"
        elif wish.check:
            outcome.state = "behind"
        else:
            self._merge(clone)
            if outcome.state == "changed" and self._is_there(clone, base, outcome.now):
                outcome.state = "updated"
            elif outcome.state == "changed":
                self._commit(clone, log)
        if outcome.state == "updated" and wish.push:
            self._push(clone)

    def _looked(self, clone: Clone) -> tuple[str, bool]:
        """Which version it shall have ("": what the wish names), and whether it differs."""
        known = clone.answers("HEAD") or {}
        self._outcome.was = str(known.get("_commit", ""))
        wish = self._wish
        if wish.answers and known:
            return self._outcome.was, not has(known, wish.answers)
        if wish.version:
            return "", True
        return self._releases.newest(known, lambda: self._checked(clone))

    def _checked(self, clone: Clone) -> tuple[str, bool]:
        code, told = self._blueprint(clone, "check")
        if code not in (0, 2):
            raise Unusable(told)
        found = json.loads(told)
        return f"v{found['newest'].removeprefix('v')}", found["behind"]

    def _merge(self, clone: Clone) -> None:
        """Have it merged into the clone's files and index; on a conflict nothing is."""
        version = ["--vcs-ref", self._wish.version] if self._wish.version else []
        command = "reconfigure" if self._wish.answers else "update"
        code, told = self._blueprint(clone, command, *version, *self._wish.answers)
        if code not in (0, 3):
            raise Unusable(told)
        found, outcome = json.loads(told), self._outcome
        outcome.now, outcome.files = found["to"], found["conflicts"]
        outcome.deleted = found.get("files", {}).get("deleted", [])
        outcome.notes = found["notes"]
        outcome.state = "conflict" if code else "changed" if found["changed"] else "current"

    def _blueprint(self, clone: Clone, *words: str) -> tuple[int, str]:
        """Run this template's `blueprint` upon the clone; its exit code, and its JSON or its fault.

        Its temporary files, and copier's cache among them, are its own.
        """
        with (
            tempfile.TemporaryDirectory(prefix="fleet-", ignore_cleanup_errors=True) as scratch,
            (Path(scratch) / "said").open("w+b") as said,
        ):
            env = environment() | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), scratch)
            command = [sys.executable, str(_MERGING), str(clone.path), *words]
            code, printed = self._children.run(command, clone.path, said, env)
            said.seek(0)
            told = said.read().decode("utf-8", "replace")
        clone.note(f"$ blueprint {' '.join(words)}\n{told}")
        if "Traceback" in told:
            told = f"the merge broke off: {told.strip().splitlines()[-1]}"
        return code, printed if code in (0, 2, 3) else told.strip() or "the log says why"

    def _is_there(self, clone: Clone, base: str, version: str) -> bool:
        """Whether a branch of that name brings the project to this version and these answers.

        Whatever a person has added to a branch that was pushed stays.

        Raises:
            Unusable: the repository's branch of that name is another one.
        """
        branch = self._wish.branch or branch_for(version, self._wish.answers)
        self._outcome.branch = branch
        there = clone.answers(f"origin/{branch}")
        if there is not None:
            if there.get("_commit") != version or not has(there, self._wish.answers):
                raise Unusable(
                    f"it has a branch {branch} with something else on it: delete it, or name "
                    "another with --branch"
                )
            self._outcome.pushed = True
            return True
        # One that was not pushed is the fleet's own, and of no use where the base has moved on.
        before = clone.asked("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}~1")
        own = clone.answers(f"refs/heads/{branch}") or {}
        moved = before is None or before.strip() != base
        if not moved and own.get("_commit") == version and has(own, self._wish.answers):
            return True
        self._outcome.branch = ""
        return False

    def _commit(self, clone: Clone, log: IO[bytes]) -> None:
        """Test what was merged, and commit it on the branch; neither where the tests fail."""
        own = self._listed.test
        if command := self._wish.test if own is None else own:
            self._test(clone, command, log)
        clone.git("commit", "--quiet", "-m", self._message())
        branch = self._wish.branch or branch_for(self._outcome.now, self._wish.answers)
        clone.git("branch", "--force", branch)
        self._outcome.state, self._outcome.branch = "updated", branch

    def _test(self, clone: Clone, command: str, log: IO[bytes]) -> None:
        log.write(f"\n$ {command}\n".encode())
        log.flush()
        try:
            code, printed = self._children.run(command, clone.path, log, seconds=self._wish.seconds)
        except TimeoutError as error:
            raise Unusable(f"its tests were ended: {error}") from None
        if code:
            raise Unusable(f"its tests ended with {code}: {_last(printed, self._log)}")
        # Some hundred megabytes, which bootstrap.py makes again.
        shutil.rmtree(clone.path / ".venv", ignore_errors=True)

    def _message(self) -> str:
        was, now = self._outcome.was, self._outcome.now
        if self._wish.answers:
            return f"Change {', '.join(keys(self._wish.answers))}\n\nOf the template's answers."
        return f"Update the template from {was} to {now}"

    def _push(self, clone: Clone) -> None:
        if not self._outcome.pushed:
            branch = self._outcome.branch
            clone.git("push", "--quiet", "origin", f"refs/heads/{branch}:refs/heads/{branch}")
            self._outcome.pushed = True


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
