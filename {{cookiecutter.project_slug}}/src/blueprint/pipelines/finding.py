"""What there is of an added pipeline here, and what of it is somebody's work."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blueprint import manifest
from blueprint.manifest import Manifest
from blueprint.pipelines import copies, editing, noted, placing
from blueprint.pipelines.which import FIRST, named_package, packages_of
from blueprint.project import Problem
from runtime.project import ROOT


@dataclass
class Found:
    """What there is of a pipeline.

    kept: the deployments of others. text: prefect.yaml without its own. seen: what is to go, by
    what it is called in a message, with a digest of what it says. edited: what of that holds
    somebody's work.
    """

    name: str
    plan: Manifest
    deployments: list[dict[str, Any]]
    kept: list[dict[str, Any]]
    text: str = ""
    files: list[Path] = field(default_factory=list)
    seen: dict[str, str] = field(default_factory=dict)
    edited: list[str] = field(default_factory=list)

    def roots(self) -> Iterator[Path]:
        """The package's folder, whatever lies in it, and each test."""
        package = ROOT / "src" / self.name
        if package.is_dir():
            yield package
        yield from (path for path in self.files if package not in path.parents)

    def add(self, path: Path) -> None:
        """One more file of it."""
        self.files.append(path)
        name, content = _shown(path), _bytes(path)
        self.seen[name] = hashlib.sha256(content).hexdigest()
        # What is no text is none of what was added.
        text = content.decode("utf-8", errors="replace").replace("\r\n", "\n")
        if not noted.is_untouched(self.name, name, text):
            self.edited.append(name)


def look(name: str, force: bool) -> Found:
    """What there is of it in prefect.yaml, src and tests.

    Raises:
        Problem: there is no such pipeline, it was edited and `force` is not set, or other code
            imports it.
    """
    if name == FIRST:
        raise Problem(f"{FIRST} is the pipeline that this project was stamped with: it stays.")
    plan = manifest.load()
    own = [one for one in plan.deployments if named_package(one) == name]
    kept = [one for one in plan.deployments if one not in own]
    if not own:
        others = [one for one in packages_of(plan.deployments) if one != FIRST]
        there = f"There are: {', '.join(others)}" if others else "Only the first one is there"
        raise Problem(f"prefect.yaml runs no pipeline {name!r} that could be removed. {there}.")
    if not kept:
        raise Problem(f"{name} is all that prefect.yaml deploys: give it another one first.")
    found = Found(name, plan, own, kept)
    _deployments(found)
    for path in sorted((ROOT / "src" / name).rglob("*")):
        if (path.is_file() or path.is_symlink()) and "__pycache__" not in path.parts:
            found.add(path)
    _tests(found)
    if found.edited and not force:
        listed = "\n".join(f"  - {one}" for one in found.edited)
        raise Problem(
            f"Somebody has worked on this of {name}, so nothing was removed:\n{listed}\n"
            f"To remove it too: blueprint remove-pipeline {name} --force"
        )
    return found


def deployment(name: str) -> str:
    """What a deployment is called in a message."""
    return f"the deployment {name} in prefect.yaml"


def _deployments(found: Found) -> None:
    """Its deployments: that of its name is as it was added, or somebody's as all others are."""
    text = found.text = placing.read_manifest()
    for one in found.deployments:
        name = deployment(one["name"])
        block = editing.block_of(text, one["name"]) or ""
        found.text = editing.removed(found.text, one["name"])
        found.seen[name] = hashlib.sha256(block.encode("utf-8")).hexdigest()
        # Without its code, as after a removal that was killed, it is of no use to anybody.
        whole = (ROOT / "src" / found.name).is_dir()
        if whole and not noted.is_as_added(found.name, name, block):
            found.edited.append(name)


def _tests(found: Found) -> None:
    """Its tests, those that somebody has added to them, and who else imports it.

    Raises Problem where somebody does: that code would be broken. A test is somebody else's too
    if it imports another pipeline, or is named after one.
    """
    made = copies.tests(found.name)
    others = [*{FIRST, *packages_of(found.kept)}]
    longer = tuple(f"test_{one}_" for one in others if one.startswith(f"{found.name}_"))
    users = []
    for path in sorted((*(ROOT / "src").rglob("*.py"), *(ROOT / "tests").rglob("*.py"))):
        if path in found.files:
            continue
        text = path.read_text("utf-8", errors="replace") if path.exists() else ""
        imported = _imported(text) if found.name in text else set()
        named = path.name.startswith(f"test_{found.name}_") and not path.name.startswith(longer)
        own = path.parent == ROOT / "tests" and named and not imported.intersection(others)
        if own and (path.name in made or found.name in imported):
            found.add(path)
        elif found.name in imported:
            users.append(_shown(path))
    if users:
        raise Problem(
            f"{', '.join(users)} imports {found.name}, and would no longer work. Take that out of it "
            "first; nothing was removed."
        )


def _imported(text: str) -> set[str]:
    """The packages that Python code imports; what is no Python imports nothing."""
    names: list[str] = []
    with suppress(SyntaxError, ValueError):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                names += [one.name for one in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.append(node.module or "")
    return {name.partition(".")[0] for name in names}


def _bytes(path: Path) -> bytes:
    """What a file holds; what cannot be read, as a link to nowhere, holds what nobody has added."""
    try:
        return path.read_bytes()
    except OSError:
        return b"\xff"


def _shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()
