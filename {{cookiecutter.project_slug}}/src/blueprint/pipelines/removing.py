"""`blueprint remove-pipeline`: takes away what `blueprint add-pipeline` has added, here and there.

The server first, since a schedule would start runs of code that has gone. Then the code is put
aside, the manifest is written, and what was put aside is deleted: interrupted before that, the
same command goes on.
"""

from __future__ import annotations

import ast
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blueprint import manifest, show
from blueprint.manifest import Manifest
from blueprint.pipelines import copies, editing
from blueprint.pipelines.adding import read_manifest, write_manifest
from blueprint.pipelines.which import (
    FIRST,
    given_or_default,
    package_of,
    packages_of,
    path_of,
)
from blueprint.processes import alone
from blueprint.project import STATE, Problem, Project
from runtime.project import ROOT

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient


@dataclass
class Found:
    """What there is of a pipeline here. edited: files that hold somebody's work."""

    name: str
    deployments: list[dict[str, Any]]
    kept: list[dict[str, Any]]
    files: list[Path] = field(default_factory=list)
    edited: list[Path] = field(default_factory=list)


def remove(
    project: Project, name: str, *, yes: bool = False, force: bool = False, dry_run: bool = False
) -> None:
    """Show what would be removed, ask, and remove it.

    Raises:
        Problem: there is no such pipeline, it was edited and `force` is not set, other code
            imports it, a run of it is in hand, or nobody has confirmed it.
    """
    show.heading(f"Remove the pipeline {name}")
    plan = manifest.load()
    found = _look(name, plan)
    text = read_manifest()
    for one in found.deployments:
        text = editing.removed(text, one["name"])
    _refuse_edited(found, force)
    _list(found)
    if unreachable := _on_the_server(project, found, plan, yes, dry_run):
        from blueprint.cleaning import confirm

        show.warn(
            f"{unreachable}: what it may have of {name} is not seen. `blueprint redeploy` takes it "
            "off, once the server answers; until then its schedule goes on"
        )
        if not dry_run:
            confirm(yes, "Remove all this here?", f"remove-pipeline {name}")
    if dry_run:
        show.ok("nothing was removed; without --dry-run it is")
        return
    with alone():
        _take_away(found, text)
    show.ok(f"removed the pipeline {name}")


def _look(name: str, plan: Manifest) -> Found:
    """What there is of it in prefect.yaml, src and tests."""
    if name == FIRST:
        raise Problem(f"{FIRST} is the pipeline that this project was stamped with: it stays.")
    own = [one for one in plan.deployments if package_of(one) == name]
    kept = [one for one in plan.deployments if one not in own]
    if not own:
        others = [one for one in packages_of(plan.deployments) if one != FIRST]
        there = f"There are: {', '.join(others)}" if others else "Only the first one is there"
        raise Problem(f"prefect.yaml runs no pipeline {name!r} that could be removed. {there}.")
    if not kept:
        raise Problem(f"{name} is all that prefect.yaml deploys: give it another one first.")
    found = Found(name, own, kept)
    package = ROOT / "src" / name
    for path in sorted(package.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            found.files.append(path)
            if not _is_untouched(path, path.parent == package, name):
                found.edited.append(path)
    _tests(found)
    return found


def _is_untouched(path: Path, inside: bool, name: str) -> bool:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return inside and path.suffix == ".py" and copies.is_untouched(path.stem, text, name)


def _tests(found: Found) -> None:
    """Its tests, those that somebody has added to them, and who else imports it.

    Raises Problem where somebody does: that code would be broken.
    """
    made = copies.tests(found.name)
    users = []
    for path in sorted((*(ROOT / "src").rglob("*.py"), *(ROOT / "tests").rglob("*.py"))):
        if path in found.files:
            continue
        text = path.read_text("utf-8", errors="replace")
        own = path.name in made or path.name.startswith(f"test_{found.name}_")
        imports = found.name in text and _imports(text, found.name)
        if path.parent == ROOT / "tests" and own and (path.name in made or imports):
            found.files.append(path)
            if text != made.get(path.name):
                found.edited.append(path)
        elif imports:
            users.append(_shown(path))
    if users:
        raise Problem(
            f"{', '.join(users)} imports {found.name}, and would no longer work. Take that out of it "
            "first; nothing was removed."
        )


def _imports(text: str, package: str) -> bool:
    """Whether Python code imports a package; what is no Python imports nothing."""
    names: list[str] = []
    with suppress(SyntaxError, ValueError):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                names += [one.name for one in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.append(node.module or "")
    return package in {name.partition(".")[0] for name in names}


def _refuse_edited(found: Found, force: bool) -> None:
    if found.edited and not force:
        listed = "\n".join(f"  - {_shown(path)}" for path in found.edited)
        raise Problem(
            f"Somebody has worked on these files of {found.name}, so nothing was removed:\n{listed}\n"
            f"To remove them too: blueprint remove-pipeline {found.name} --force"
        )


def _list(found: Found) -> None:
    for one in found.deployments:
        show.doing(f"to be removed: the deployment {one['name']} in prefect.yaml")
    for path in found.files:
        edited = ", edited" if path in found.edited else ""
        show.doing(f"to be removed: {_shown(path)}{edited}")
    table = copies.table_in(path_of(found.name, "contract"))
    for one in found.deployments:
        target = given_or_default(one, "target")
        refused = given_or_default(one, "quarantine")
        from blueprint.withholding import target as shown

        show.warn(f"stays: the table {table or 'that it loads'} in {shown(str(target))}")
        show.warn(f"stays: refused records in {refused}; `blueprint prune` no longer looks there")


def _on_the_server(project: Project, found: Found, plan: Manifest, yes: bool, dry_run: bool) -> str:
    """Remove what the server has of it, once that is confirmed; why it could not be asked, if so."""
    from blueprint import services

    try:
        with services.connected(project) as client:
            _remove_there(client, found, plan, yes, dry_run)
    except services.Unreachable as problem:
        return str(problem).partition("\n")[0].rstrip(".")
    return ""


def _remove_there(
    client: SyncPrefectClient, found: Found, plan: Manifest, yes: bool, dry_run: bool
) -> None:
    from blueprint import automations, cleaning, owning, rules

    there = cleaning.Plan()
    held = owning.ours(client)
    own = [one for one in held if package_of({"entrypoint": one.entrypoint or ""}) == found.name]
    for one in own:
        cleaning.plan_deployment(client, one, there)
    for what, _ in there.removed:
        show.doing(f"to be removed: on the server, {what}")
    if there.left:
        raise Problem(
            f"Nothing was removed: {'; '.join(there.left)}. It needs the code until it has ended."
        )
    if dry_run:
        return
    cleaning.confirm(yes, "Remove all this?", f"remove-pipeline {found.name}")
    cleaning.remove(there)
    names = {one["name"] for one in found.kept}
    ids = [one.id for one in held if one not in own and one.name in names]
    automations.reconcile(client, plan.name, ids, rules.patience(found.kept))


def _take_away(found: Found, text: str) -> None:
    """Put the code aside, write the manifest, delete the code; where that fails, put it back."""
    aside = STATE / "scratch" / f"removing-{found.name}-{os.getpid()}"
    moved: list[tuple[Path, Path]] = []
    try:
        for path in _roots(found):
            place = aside / path.relative_to(ROOT)
            place.parent.mkdir(parents=True, exist_ok=True)
            moved.append((path, place))
            path.rename(place)
        write_manifest(text)
    except BaseException:
        for path, place in moved:
            if place.exists():
                place.rename(path)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _roots(found: Found) -> Iterator[Path]:
    """The package's folder, whatever lies in it, and each test."""
    package = ROOT / "src" / found.name
    if package.is_dir():
        yield package
    yield from (path for path in found.files if package not in path.parents)


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT))
