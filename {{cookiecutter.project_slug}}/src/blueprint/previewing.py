"""Shows what a run would make of the source's first records, and loads nothing."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from blueprint import inferring, show
from blueprint.pipelines.which import FIRST, package_of, part
from blueprint.project import Problem
from ingest.cut import cut
from ingest.duck import literal
from ingest.formats import Compression, RawRecord
from ingest.gate import judge
from ingest.loading import Ready
from ingest.say import Say, silent
from ingest.sinks.staged import load_error
from ingest.staging import stage
from ingest.steps import Judged, Limits, SourceFile, Step
from runtime.project import WORK_PREFIX

ROWS = 10  # rows that are shown
_CELL = 24  # characters that are shown of a value in the table
_REASON = 200


@dataclass(frozen=True)
class Preview:
    """The first records of a source, judged; the first rows that would be loaded of them.

    fits: whether something is accepted and no more refused than a run bears. names, rows: the
    first rows, their values as text. records: the same rows as JSON has them.
    """

    source: SourceFile
    judged: Judged
    ready: Ready
    positions: tuple[int, ...]
    names: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    records: tuple[dict[str, Any], ...]
    fits: bool

    def as_dict(self) -> dict[str, Any]:
        """All of it, to be written as JSON."""
        judged = self.judged
        return {
            "source": self.source.url,
            "format": self.source.format.value,
            "read": judged.read,
            "accepted": judged.accepted,
            "refused": judged.rejected,
            "superseded": self.ready.duplicates,
            "rows": self.ready.count,
            "fits": self.fits,
            "way": judged.way,
            "reasons": dict(judged.reasons),
            "first_refused": [
                {"position": position, "field": field, "reason": reason}
                for position, field, reason in self.refused()
            ],
            "first_rows": list(self.records),
        }

    def refused(self) -> list[tuple[int, str | None, str]]:
        """The first refused records: their position in the source, the field, the reason."""
        return [
            (self.positions[one.position - 1], one.field, one.reason)
            for one in self.judged.first_refused
        ]


def preview(
    deployment: Mapping[str, Any],
    limit: int = 1000,
    source: str | None = None,
    as_json: bool = False,
) -> bool:
    """`blueprint preview`: judge and transform the first `limit` records, and print what is found.

    source: other than the deployment's. Gives whether a run would bear what is refused.

    Raises:
        Problem: no source is named, or it is none; the limit is less than 1.
        PipelineError: the source cannot be read, or the contract or the transform fails.
    """
    if limit < 1:
        raise Problem(f"--limit takes 1 or more records, not {limit}.")
    location = source or (deployment.get("parameters") or {}).get("source_url")
    if not location:
        raise Problem("prefect.yaml gives this deployment no source_url: set it under parameters.")
    if not as_json and "://" in location and not location.startswith("file:"):
        show.doing("fetching the source; only its first records are judged, but all of it is read")
    package = package_of(deployment)
    with tempfile.TemporaryDirectory(prefix=WORK_PREFIX, ignore_cleanup_errors=True) as folder:
        say = silent if as_json else show.Progress()
        found = look(location, limit, Path(folder), say, package)
    if as_json:
        # Not by rich, which would fold long lines.
        sys.stdout.write(json.dumps(found.as_dict(), ensure_ascii=True, indent=2) + "\n")
    else:
        _print(found, limit, package)
    return found.fits


def look(location: str, limit: int, folder: Path, say: Say, package: str = FIRST) -> Preview:
    """What a run of a pipeline would make of the first `limit` records; writes only into `folder`.

    Raises Problem where `location` is no source, and PipelineError.
    """
    config = part(package, "config")
    contract = part(package, "contract").CONTRACT
    asked = inferring.asked(location, package)
    source, positions = _first(part(package, "extract").extract(asked, folder, say), folder, limit)
    # No limit ends it: what is refused is to be seen.
    step = Step(config.DEFAULT_BATCH_SIZE, Limits(1.0), folder / "quarantine", "preview")
    judged = judge(source, contract, step, folder, say)
    ready = stage(judged, contract, part(package, "transform").transform, folder)
    fits = judged.accepted > 0 and _bears(judged, config.LIMITS)
    try:
        return Preview(source, judged, ready, positions, *_first_rows(ready), fits)
    except duckdb.Error as error:
        raise load_error("Reading the rows", error, ready) from error


def _first(source: SourceFile, folder: Path, limit: int) -> tuple[SourceFile, tuple[int, ...]]:
    """The first records as a source of their own, and where they stood."""
    positions: list[int] = []

    def noted(raw: RawRecord) -> bool:
        positions.append(raw.position)
        return True

    small = cut(source, folder / "first" / "records", limit, keep=noted).path
    size = small.stat().st_size
    return replace(source, path=small, size=size, compression=Compression.NONE), tuple(positions)


def _bears(judged: Judged, limits: Limits) -> bool:
    share = judged.rejected / judged.read if judged.read else 0.0
    return share <= limits.share and (limits.count is None or judged.rejected <= limits.count)


def _first_rows(
    ready: Ready,
) -> tuple[tuple[str, ...], tuple[tuple[str | None, ...], ...], tuple[dict[str, Any], ...]]:
    """The names of the columns, and the first rows as text and as JSON has them."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"ATTACH {literal(str(ready.staging))} AS staging (READ_ONLY)")
        found = connection.execute(f"SELECT COLUMNS(*)::VARCHAR FROM staging.rows LIMIT {ROWS}")
        names = tuple(str(column[0]) for column in found.description or ())
        rows = tuple(found.fetchall())
        # Cell by cell: an alias of the whole row would mean a column, where one has its name.
        found = connection.execute(
            f"SELECT to_json(COLUMNS(*))::VARCHAR FROM staging.rows LIMIT {ROWS}"
        )
        records = tuple(dict(zip(names, map(_value, row), strict=True)) for row in found.fetchall())
        return names, rows, records


def _value(text: str | None) -> Any:
    # NaN and Infinity are none of JSON's numbers.
    return None if text is None else json.loads(text, parse_constant=str)


def _print(found: Preview, limit: int, package: str) -> None:
    judged = found.judged
    more = " (there may be more)" if judged.read == limit else ""
    counts = [
        ("Source", f"{found.source.url}: {found.source.kind}"),
        ("Records read", f"{judged.read:,}{more}"),
        ("Accepted", f"{judged.accepted:,}"),
        ("Refused", f"{judged.rejected:,}"),
        ("Superseded by a later record", f"{found.ready.duplicates:,}"),
        ("Rows that would be loaded", f"{found.ready.count:,}"),
        ("Judged", judged.way),
    ]
    show.table(("what", "value"), counts)
    if judged.rejected:
        show.table(
            ("refused because", "records"), [(_cut(why, _REASON), n) for why, n in judged.reasons]
        )
        first = [(place, name, _cut(why, _REASON)) for place, name, why in found.refused()]
        show.table(("first refused, at", "field", "reason"), first)
    if found.rows:
        _print_rows(found)
    if found.fits:
        show.ok("a run would bear that; nothing was loaded")
    elif not judged.accepted:
        show.warn(f"no record would be accepted: mend src/{package}/contract.py or the source")
    else:
        show.warn(
            f"a run that refuses as many fails: mend src/{package}/contract.py or the source, "
            f"or raise the limits in src/{package}/config.py"
        )


def _print_rows(found: Preview) -> None:
    """As many columns as fit side by side; the others are named."""
    widths = [
        max(len(_cut(cell, _CELL)) for cell in (name, *(row[place] for row in found.rows)))
        for place, name in enumerate(found.names)
    ]
    room, fitting = show.console.width - 1, 0
    for width in widths:
        room -= width + 3  # with the frame
        if room < 0 and fitting:
            break
        fitting += 1
    show.table(
        [_cut(name, _CELL) for name in found.names[:fitting]],
        [[_cut(cell, _CELL) for cell in row[:fitting]] for row in found.rows],
    )
    if rest := found.names[fitting:]:
        show.doing(f"and the columns {', '.join(rest)} (--json shows all)")


def _cut(text: str | None, longest: int) -> str:
    """A value on one line, in characters that a terminal shows and does not obey."""
    shown = "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode()
        for one in ("-" if text is None else text)[: longest + 1]
    )
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"
