"""Replays the quarantine: refused records that a mended contract accepts are loaded."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from blueprint import manifest, show
from blueprint.pipelines.which import given_or_default, package_of, part
from blueprint.project import Problem
from ingest.errors import PipelineError
from ingest.refused_files import quarantine_files, run_of
from ingest.replay import Replayed, replay
from ingest.sinks import open_sink
from runtime.project import ROOT, WORK_PREFIX, resolve, resolve_target

_COLUMNS = ("file", "run", "records", "accepted now", "still refused", "loaded", "as new there")


def replay_quarantine(
    deployment: Mapping[str, Any],
    which: str | None = None,
    target: str | None = None,
    dry_run: bool = False,
) -> None:
    """`blueprint replay-quarantine`: one file after the other, the oldest run first.

    which: a run's id or a file; None for all files. target: other than the deployment's.

    Raises:
        Problem: there is no such file or run; or files could not be replayed, after the others.
        PipelineError: the target cannot be used.
    """
    package = package_of(deployment)
    config, contract = part(package, "config"), part(package, "contract").CONTRACT
    transform = part(package, "transform").transform
    given = deployment.get("parameters") or {}
    folder = Path(resolve(given.get("quarantine", config.DEFAULT_QUARANTINE)))
    files = _chosen(which, folder, package)
    if not files:
        show.ok(f"nothing is in quarantine: there is no file in {_shown(folder)}")
        return
    say = show.Progress()
    destination = resolve_target(target or given.get("target", config.DEFAULT_TARGET))
    sink = open_sink(destination, say=say)
    replayed: list[Replayed] = []
    problems: list[str] = []
    for path in files:
        try:
            with tempfile.TemporaryDirectory(
                prefix=WORK_PREFIX, ignore_cleanup_errors=True
            ) as work:
                found = replay(path, sink, contract, transform, Path(work), say, dry_run=dry_run)
            replayed.append(found)
        except PipelineError as error:
            problems.append(f"{_shown(path)}: {error}")
    _report(replayed, dry_run, f"{contract.table} of {sink.shown}")
    if problems:
        raise Problem("Not all could be replayed:\n" + "\n".join(problems))


def _chosen(which: str | None, folder: Path, package: str) -> list[Path]:
    if which is None:
        return quarantine_files(folder)
    for path in (Path(which), ROOT / which, folder / which):
        if path.is_file():
            _refuse_anothers(path, folder, package)
            return [path]
    # By its name first: a file that cannot be read must not hide the others.
    named = [path for path in quarantine_files(folder) if which in path.name]
    found = [path for path in named if run_of(path) == which]
    if not found:
        raise Problem(
            f"There is neither a file {which} nor one of the run {which} in {_shown(folder)}. "
            f"Is all of it replayed? Its files bear the runs' ids in their names.{_elsewhere(package)}"
        )
    return found


def _refuse_anothers(path: Path, folder: Path, package: str) -> None:
    """Raises Problem where a file lies in the folder of another pipeline, with another contract."""
    lies = path.resolve().parent
    if lies == folder.resolve():
        return
    for one in manifest.load().deployments:
        given, other = given_or_default(one, "quarantine"), package_of(one)
        if other != package and given and Path(resolve(str(given))).resolve() == lies:
            raise Problem(
                f"{_shown(path)} holds refused records of the pipeline {other}: give this command "
                f"--pipeline {other}"
            )


def _elsewhere(package: str) -> str:
    """Where else it may lie: each pipeline has a quarantine folder of its own."""
    others = [one for one in manifest.packages() if one != package]
    how = " or ".join(f"--pipeline {one}" for one in others)
    return f"\nIf it is of another pipeline, say so: {how}" if others else ""


def _report(replayed: list[Replayed], dry_run: bool, table: str) -> None:
    looked_at = [one for one in replayed if one.left is None]
    if looked_at:
        show.table(_COLUMNS, [_row(one) for one in looked_at])
    for one in replayed:
        if one.left:
            show.warn(f"{_shown(one.file)} is left: {one.left}")
        if one.hopeless:
            show.warn(
                f"{_shown(one.file)}: {one.hopeless:,} cannot be replayed: no records, or values "
                "of Parquet that JSON has no type for; mend the source, and run the pipeline anew"
            )
        if one.kept:
            show.warn(f"{_shown(one.kept)} keeps what was accepted and may not have been written")
    accepted = sum(one.accepted for one in looked_at)
    if dry_run:
        show.ok(f"{accepted:,} refused records would be accepted now; nothing was loaded")
    else:
        rows = sum(one.loaded.inserted + one.loaded.updated for one in looked_at if one.loaded)
        show.ok(f"{accepted:,} refused records are accepted now, {rows:,} rows loaded into {table}")


def _row(one: Replayed) -> tuple[object, ...]:
    loaded = one.loaded
    written = f"{loaded.inserted + loaded.updated:,}" if loaded else None
    there = f"{loaded.unchanged:,}" if loaded else None
    counts = (f"{count:,}" for count in (one.records, one.accepted, one.refused))
    return (_shown(one.file), one.run_id, *counts, written, there)


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
