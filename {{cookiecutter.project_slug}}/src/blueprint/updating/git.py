"""Git, asked so that neither a hook's environment nor a person's settings change what it does."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from blueprint.project import Problem

# A hook of git's sets these, and they name the repository that it runs for.
_OF_A_HOOK = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR"),
    *("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE"),
)
# A person's hooks, signatures, ignore rules and line ends have no say in a scratch repository.
_PLAIN = {
    "core.hooksPath": os.devnull,
    "core.excludesFile": os.devnull,
    "core.attributesFile": os.devnull,
    "core.autocrlf": "false",
    "core.fsmonitor": "false",
    "commit.gpgSign": "false",
    "apply.whitespace": "nowarn",
    "merge.conflictStyle": "merge",
    "advice.detachedHead": "false",
}


# Who may read it, in front of a host (a token alone is one, too), or in a query.
_SECRET = re.compile(
    r"(\w://)(?!git@)[^/\s]+(@)|([?&][^=&\s]*(?:key|token|secret|password|sig)[^=&\s]*=)[^&\s]+",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Repository:
    """A repository and the folder in it that counts.

    top: its work tree. folder: the project's place in that, "" or such as "pipelines/one/".
    """

    top: Path
    folder: str = ""

    def git(self, *arguments: str, feed: bytes | None = None) -> bytes:
        """What git prints, run in the repository.

        Raises:
            Problem: git fails.
        """
        return git(self.top, *arguments, feed=feed)

    def asked(self, *arguments: str) -> str | None:
        """What git prints, or None where it fails."""
        done = run(self.top, *arguments)
        return os.fsdecode(done.stdout) if done.returncode == 0 else None


def is_there() -> bool:
    """Whether there is a git on the PATH."""
    return shutil.which("git") is not None


def environment(plain: bool = False) -> dict[str, str]:
    """This process's, for git. plain: for a scratch repository, see `_PLAIN`."""
    kept = {key: value for key, value in os.environ.items() if key not in _OF_A_HOOK}
    kept |= {"LC_ALL": "C", "GIT_LFS_SKIP_SMUDGE": "1"}
    if not sys.stdin.isatty():
        kept["GIT_TERMINAL_PROMPT"] = "0"
    if plain:
        first = int(kept.get("GIT_CONFIG_COUNT") or 0)
        for number, (key, value) in enumerate(_PLAIN.items(), start=first):
            kept |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        kept |= {"GIT_CONFIG_COUNT": str(first + len(_PLAIN)), "GIT_TEMPLATE_DIR": ""}
        kept["GIT_DEFAULT_HASH"] = "sha1"
        who = {"NAME": "blueprint", "EMAIL": "blueprint@localhost"}
        for role in ("AUTHOR", "COMMITTER"):
            kept |= {f"GIT_{role}_{key}": value for key, value in who.items()}
    return kept


def run(
    folder: Path, *arguments: str, feed: bytes | None = None, plain: bool = False, **more: str
) -> subprocess.CompletedProcess[bytes]:
    """Run git in a folder. more: variables that it shall have."""
    return subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env=environment(plain) | more,
        input=feed if feed is not None else b"",
        capture_output=True,
    )


def git(
    folder: Path, *arguments: str, feed: bytes | None = None, plain: bool = False, **more: str
) -> bytes:
    """What git prints.

    Raises:
        Problem: git fails.
    """
    done = run(folder, *arguments, feed=feed, plain=plain, **more)
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise Problem(
            f"`git {' '.join(arguments[:2])}` failed in {folder}: {without_secrets(said)}"
        )
    return done.stdout


def without_secrets(text: str) -> str:
    """A text whose addresses are fit to be shown: no password, no token, no key."""
    return _SECRET.sub(lambda found: f"{found[1] or found[3]}***{found[2] or ''}", text)


def names(listed: bytes | str | None) -> list[str]:
    """The paths of a list that ends each with NUL (git's -z)."""
    if isinstance(listed, bytes):
        listed = os.fsdecode(listed)
    return [one for one in (listed or "").split("\0") if one]
