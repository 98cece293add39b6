"""What the hooks ask of git, and of the template that they stand in; they import it from there.

cruft, which does not tell its hooks where the template is, goes without.
"""

import os
import re
import subprocess
from pathlib import Path

UNSAVED = """
Nothing was stamped: the project is there, and -f would overwrite what git has not got yet. Commit it
first; `git diff` then shows what -f changed. `blueprint update` and `reconfigure` keep edits.

"""
UNKNOWN = """
Nothing was stamped: the project is there, and git cannot say whether it has got all of it, which -f
would overwrite. What git says:

"""


def git(folder, *arguments):
    """A git command that has ended, whichever repository a git hook or a shell has named."""
    elsewhere = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX")
    environ = {key: value for key, value in os.environ.items() if key not in elsewhere}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "errors": "replace"}
    pipes["env"] = {**environ, "LC_ALL": "C"}
    command = ["git", *arguments]
    try:
        return subprocess.run(command, cwd=folder, encoding="utf-8", **pipes)
    except OSError as problem:  # no git
        return subprocess.CompletedProcess(command, 1, "", f"{problem}\n")


def unsaved(project, _template=None):
    """Why -f must not write here: what git calls changed or new, or that it cannot say."""
    if not any(Path(project).iterdir()):
        return ""
    status = ("status", "--porcelain", "--untracked-files=all", "--", ".")
    done = git(project, *status)
    if done.returncode == 0:
        return UNSAVED + done.stdout if done.stdout else ""
    above = (Path(project).resolve() / "x").parents
    if not any((folder / ".git").exists() for folder in above):
        return ""
    # A folder above that is only called .git; a repository that is gone is another message.
    return "" if "not a git repository (or any" in done.stderr else UNKNOWN + done.stderr


def clash(key, value, template):
    """Whether a project of this name would take the place of a package that it installs."""
    if key != "project_slug":
        return ""
    locks = (lock.read_text("utf-8") for lock in Path(template).glob("*/requirements*.lock"))
    needed = {"pip", *re.findall("(?m)^([a-z0-9-]+)==", "\n".join(locks))}
    taken = re.sub("[-_.]+", "-", value).lower() in needed
    return "it would replace a Python package that the project needs" if taken else ""


def commit_of(folder):
    """A template's commit as copier names it; nothing where that is no repository of its own."""
    there = Path(folder, ".git").exists()
    return git(folder, "describe", "--tags", "--always").stdout.strip() if there else ""


def typed(answers, commit):
    """The folder that was typed, wherever cookiecutter was called: the hooks run in a copy of it."""
    out = Path(answers["_output_dir"])
    wanted = Path(answers["_repo_dir"], "cookiecutter.json").read_bytes()
    for base in (out, *out.parents, os.environ.get("PWD") or "."):
        folder = Path(base, answers["_template"])
        known = folder / "cookiecutter.json"
        # The copy of a submodule knows no commit.
        if known.is_file() and known.read_bytes() == wanted and commit in ("", commit_of(folder)):
            return folder.resolve()
    return None


def origin(answers):
    """Commit and address of the template, the first empty where it is no repository's root."""
    copy = answers["_repo_dir"]
    commit = commit_of(copy)
    folder = typed(answers, commit)
    if folder:
        return commit_of(folder), str(folder)
    url = git(copy, "config", "--get", "remote.origin.url").stdout.strip() if commit else ""
    return commit, url or answers["_template"]
