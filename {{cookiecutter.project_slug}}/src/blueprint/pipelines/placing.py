"""Brings a pipeline's files into the project, or out of it, together with the manifest.

All or nothing: where something fails, what was moved is moved back. Ctrl-C waits until it is done.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from blueprint import manifest
from blueprint.processes import uninterrupted
from blueprint.project import Problem
from runtime.project import ROOT


def read_manifest() -> str:
    """The text of prefect.yaml, with the ends of its lines as they are."""
    return manifest.PATH.read_bytes().decode("utf-8")


def write_manifest(text: str) -> None:
    """Replace prefect.yaml at once."""
    place = manifest.PATH.resolve()
    draft = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        draft.write_bytes(text.encode("utf-8"))
        shutil.copymode(place, draft)
        draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)


def put_in(aside: Path, text: str) -> None:
    """Move what was made in a folder aside into its place, and write the manifest.

    Raises Problem where something is in that place already.
    """
    (ROOT / "tests").mkdir(exist_ok=True)
    placed: list[Path] = []
    with uninterrupted():
        try:
            for made in (*(aside / "src").iterdir(), *(aside / "tests").iterdir()):
                place = ROOT / made.relative_to(aside)
                if os.path.lexists(place):
                    raise Problem(f"{place} has come meanwhile, so nothing was added.")
                placed.append(place)
                shutil.move(made, place)  # which a folder on another disk bears too
            write_manifest(text)
        except BaseException:
            for place in placed:
                _delete(place)
            raise


def take_out(paths: Iterable[Path], aside: Path, text: str) -> None:
    """Put files and folders aside, write the manifest, and delete what was put aside."""
    moved: list[tuple[Path, Path]] = []
    with uninterrupted():
        try:
            for path in paths:
                place = aside / path.relative_to(ROOT)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(path, place)
                moved.append((path, place))
            write_manifest(text)
        except BaseException:
            for path, place in moved:
                shutil.move(place, path)
            raise
    shutil.rmtree(aside, ignore_errors=True)


def _delete(path: Path) -> None:
    """Remove a file or a folder that may not be there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
