"""`make index`: writes the stamped project's docs/INDEX.md, one line for each of its files.

What a file is, it says itself: a module in its docstring, a script in its header, a guide in its
heading. The few that cannot are named here. A test holds the index against the tree.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parents[1]
PROJECT = TEMPLATE / "{{cookiecutter.project_slug}}"
LISTED = TEMPLATE / "tests" / "stamped_files.txt"
INDEX = PROJECT / "docs" / "INDEX.md"

# Where a file does not say it in its first lines, or not so that a reader of the index has it.
SAID = {
    ".copier-answers.yml": "what was answered when the project was stamped, for its updates",
    ".env.example": "what may stand in `.env`, which git ignores: keys and passwords",
    ".gitattributes": "line endings",
    ".github/workflows/checks.yml": "the project's checks, on each push",
    ".gitignore": "what a run, a tool or a secret leaves and git does not take",
    ".pre-commit-config.yaml": "the project's checks before each commit, for who uses pre-commit",
    "README.md": "what this project is, how it is run and changed",
    "bootstrap.py": "makes `.venv` from the locks, or mends it; needs nothing but a Python",
    "data/sample_orders.ndjson": "the bundled source: 3,000 orders, some of them faulty on purpose",
    "docs/CONTRACT.md": "what a record must be: written by hand, or inferred from the source",
    "docs/EXECUTION_GUIDE.md": "the technical manual, with troubleshooting by message",
    "docs/INDEX.md": "this list",
    "docs/PIPELINES.md": "a second pipeline in this project: add it, work with it, remove it",
    "docs/QUICK_START.md": "from this folder to completed runs in the UI, in five minutes",
    "docs/SERVER_INSTRUCTIONS.md": "server and worker: start, stop, share, keep, with the machine",
    "docs/SOURCES.md": "addresses, credentials, pages, formats, retries",
    "docs/START_HERE.md": "which guide for what, and what is needed first",
    "docs/TARGETS.md": "DuckDB, PostgreSQL, Parquet, and a target of your own",
    "docs/UPDATING.md": "other answers, and a newer template: update, reconfigure, conflicts",
    "prefect.toml": "Prefect's settings for this project alone: the API's address, the server's port",
    "prefect.yaml": "the manifest: pool, schedule, timezone and parameters",
    "pyproject.toml": "dependencies, limits and notification, and the settings of the tools",
    "requirements.lock": "every package of the environment, with hashes",
    "scripts/_blueprint.sh": "read by the scripts: answers `--help`, has the environment made",
    "src/blueprint/updating/copier.lock": "what updates are merged with, with hashes; not in `.venv`",
}
ROOMS = (
    ("The project's folder", "", "What stands here is read by the tools by name."),
    ("scripts/", "scripts/", "Names for `blueprint` commands; each says more with `--help`."),
    ("docs/", "docs/", "Begin with [START_HERE.md](START_HERE.md)."),
    ("data/", "data/", "The target lies here too, unless `target` says otherwise."),
    ("src/data_pipeline/", "src/data_pipeline/", "Yours: what this pipeline is."),
    ("src/runtime/", "src/runtime/", "The template's: what a run asks of Prefect and shows in it."),
    ("src/blueprint/", "src/blueprint/", "The template's: deploying, processes, checks."),
    ("src/ingest/", "src/ingest/", "The template's engine; it knows no Prefect."),
    ("tests/", "tests/", "Green as stamped."),
    (".github/", ".github/", "For GitHub."),
)


def render() -> str:
    """The whole index."""
    left = LISTED.read_text("utf-8").split()
    parts = ["# Each file of this project", ""]
    for title, folder, about in ROOMS:
        here = [name for name in left if name.startswith(folder) and (folder or "/" not in name)]
        left = [name for name in left if name not in here]
        rows = "\n".join(f"| {_link(name, folder)} | {described(name)} |" for name in here)
        parts += [f"## {title}", "", about, "", "| file | what it is |", "| --- | --- |", rows, ""]
    assert not left, f"no room for {left}"
    return "\n".join(parts)


def _link(name: str, folder: str) -> str:
    target = name.removeprefix("docs/") if folder == "docs/" else f"../{name}"
    return f"[{name.removeprefix(folder)}]({target})"


def described(name: str) -> str:
    """What a file is, in one line.

    Raises:
        ValueError: it does not say so, and SAID does not know it.
    """
    if name in SAID:
        return SAID[name]
    text = (PROJECT / name).read_text("utf-8")
    found = None
    if name.endswith(".py.txt"):
        found = "as the template ships it, for `blueprint add-pipeline`"
    elif name.endswith(".py"):
        # Not parsed: a file with an answer in it is no Python before it is stamped.
        head = re.match(r"#![^\n]*\n# \S+\.py: (.*)\n", text)
        docstring = re.match(r'"""(.*?)("""|\n\n)', text, re.DOTALL)
        found = head[1] if head else _first_sentence(docstring[1]) if docstring else None
    elif name.endswith(".sh"):
        head = re.search(r"^# \S+\.sh: ((?:.*\n# )*?.*?[.:;])(?:\s|$)", text, re.M)
        found = head[1] if head else None
    elif name.endswith(".md"):
        head = re.match(r"# (.*)\n", text)
        found = head[1] if head else None
    elif extra := re.fullmatch(r"requirements-(\w+)\.lock", name):
        found = f"what the extra `{extra[1]}` adds to it"
    if not found:
        raise ValueError(f"{name} does not say in its first line what it is")
    found = " ".join(found.replace("\n# ", " ").split()).rstrip(".:;")
    # A pipe would end the cell.
    return found.replace("|", "\\|")


def _first_sentence(docstring: str) -> str:
    return re.split(r"(?<=[.])\s", " ".join(docstring.split()))[0]


def main() -> int:
    """Write the index."""
    text = render()
    INDEX.write_text(text, "utf-8")
    print(f"{INDEX.relative_to(TEMPLATE)}: {text.count('| [')} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
