"""`blueprint add-pipeline`: one more pipeline in this project, with code and tests of its own.

All of it is made in a folder aside and then put into its place, the manifest last: where something
fails, or somebody presses Ctrl-C, the project is as it was.
"""

from __future__ import annotations

import copy
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from blueprint import inferring, manifest, schedules, show
from blueprint.pipelines import copies, editing, naming
from blueprint.pipelines.which import packages_of, part
from blueprint.processes import alone
from blueprint.project import STATE, Problem
from ingest.errors import PipelineError
from ingest.sources import without_secrets
from runtime.project import ROOT

_KEPT = ("batch_size", "target")
"""The parameters that a new deployment takes over from the first one."""


@dataclass(frozen=True)
class Wanted:
    """A pipeline to be. What is None is as the first deployment of prefect.yaml has it.

    infer: whether its contract is inferred from its source now; else it is the sample's.
    """

    name: str
    source_url: str | None = None
    schedule: str | None = None
    timezone: str | None = None
    table: str | None = None
    infer: bool = True


def add(wanted: Wanted) -> None:
    """Add it to prefect.yaml, src and tests, or change nothing.

    Raises:
        Problem: its name or its table is taken, a value has a fault, or prefect.yaml is written
            in a way that cannot be edited soundly.
        PipelineError: its source cannot be read.
    """
    show.heading(f"Add the pipeline {wanted.name}")
    with alone():
        plan = manifest.load()
        text = read_manifest()
        raw = yaml.safe_load(text)
        naming.check(wanted.name, raw["deployments"])
        table = _table(wanted, packages_of(plan.deployments))
        deployment = _deployment(wanted, raw["deployments"][0])
        edited = editing.added(text, deployment)
        if faults := manifest.faults_of(yaml.safe_load(edited)):
            listed = "\n".join(f"  - {fault}" for fault in faults)
            raise Problem(f"The pipeline cannot be added as it was asked for:\n{listed}")
        with _made_aside(wanted.name, table, plan.name) as aside:
            _write_contract(wanted, deployment, table, aside)
            _put_in_place(wanted.name, aside, edited)
    _tell(wanted, deployment, table)


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


def _table(wanted: Wanted, packages: list[str]) -> str:
    """The name of its table, which no other pipeline of this project loads. Raises Problem."""
    table = wanted.table or wanted.name
    if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]{0,59}", table):
        raise Problem(f"--table takes letters, digits and _, 60 at most, not {table!r}.")
    for package in packages:
        other = part(package, "contract").CONTRACT.table
        if other.lower() == table.lower():
            raise Problem(
                f"The table {table} is that of the pipeline {package}, and two would mix their rows "
                f"in it. Give the new one another: --table {table}_2, perhaps."
            )
    return table


def _deployment(wanted: Wanted, first: dict[str, Any]) -> dict[str, Any]:
    """The first deployment as the manifest has it, with what is the new one's own."""
    made = copy.deepcopy(first)
    before = made.get("parameters") or {}
    source = wanted.source_url if wanted.source_url is not None else before.get("source_url")
    if not source:
        raise Problem("The first deployment names no source: give the new one --source-url.")
    parameters = {"source_url": source, **{key: before[key] for key in _KEPT if key in before}}
    if "quarantine" in before:
        parameters["quarantine"] = f"{str(before['quarantine']).rstrip('/')}/{wanted.name}"
    made.update(
        name=wanted.name,
        description=f"The pipeline {wanted.name}: extract, validate, transform and load.",
        entrypoint=f"{wanted.name}.flow:{wanted.name}",
        parameters=parameters,
        schedules=_schedules(wanted, made.get("schedules") or []),
    )
    made.pop("paused", None)
    return made


def _schedules(wanted: Wanted, before: list[dict[str, Any]]) -> list[dict[str, Any]]:
    # What a schedule of the first one gives as parameters is for its flow.
    kept = [
        {key: value for key, value in one.items() if key not in ("parameters", "active")}
        for one in before
    ]
    zone = wanted.timezone or next((one["timezone"] for one in kept if one.get("timezone")), "UTC")
    if wanted.schedule is not None:
        return [{"slug": "production", "cron": wanted.schedule, "timezone": zone}]
    if wanted.timezone is not None:
        kept = [{**one, "timezone": zone} for one in kept]
    return kept


@contextmanager
def _made_aside(name: str, table: str, project: str) -> Iterator[Path]:
    """The new code and tests in a folder aside, from where the code can be imported."""
    aside = STATE / "scratch" / f"adding-{name}-{os.getpid()}"
    package, tests = aside / "src" / name, aside / "tests"
    package.mkdir(parents=True)
    tests.mkdir()
    # A flow's name is one for the whole server, which other projects may share.
    flow_name = re.sub(r"[^\w.-]+", "-", f"{project}-{name}")
    sys.path.insert(0, str(aside / "src"))
    try:
        for part_name, text in copies.code(name, flow_name, table).items():
            _write(package / f"{part_name}.py", text)
        for file, text in copies.tests(name).items():
            _write(tests / file, text)
        yield aside
    finally:
        sys.path.remove(str(aside / "src"))
        for module in [one for one in sys.modules if one.partition(".")[0] == name]:
            del sys.modules[module]
        shutil.rmtree(aside, ignore_errors=True)


def _write(path: Path, text: str) -> None:
    path.write_text(text, "utf-8", newline="\n")


def _write_contract(wanted: Wanted, deployment: dict[str, Any], table: str, aside: Path) -> None:
    source = manifest.filled(str(deployment["parameters"]["source_url"]))
    if not wanted.infer:
        inferring.asked(source, wanted.name)  # raises where it is no source
        return
    show.doing(f"inferring its contract from {without_secrets(source)}")
    try:
        inferred = inferring.inferred_of(source, wanted.name, table)
    except PipelineError as error:
        raise Problem(
            f"{error}\nNothing was added. If its extract.py has to be written first (credentials, "
            f"pages): blueprint add-pipeline {wanted.name} … --no-infer"
        ) from None
    package = aside / "src" / wanted.name
    _write(package / "contract.py", inferred.text)
    _write(package / "transform.py", copies.PASS_THROUGH)
    inferring.report(inferred, f"src/{wanted.name}/contract.py")


def _put_in_place(name: str, aside: Path, text: str) -> None:
    shutil.rmtree(aside / "src" / name / "__pycache__", ignore_errors=True)
    (ROOT / "tests").mkdir(exist_ok=True)
    placed: list[Path] = []
    try:
        for made in (*(aside / "src").iterdir(), *(aside / "tests").iterdir()):
            place = ROOT / made.relative_to(aside)
            placed.append(place)
            made.rename(place)
        write_manifest(text)
    except BaseException:
        for place in placed:
            take_away(place)
        raise


def take_away(path: Path) -> None:
    """Remove a file or a folder that may not be there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _tell(wanted: Wanted, deployment: dict[str, Any], table: str) -> None:
    name = wanted.name
    show.ok(f"src/{name}/: its flow, contract, source and transform; yours to edit")
    show.ok(f"tests: {', '.join(copies.tests(name))}")
    when = "; ".join(
        f"{one.get('cron') or one.get('rrule') or one.get('interval')} in {one.get('timezone', 'UTC')}"
        for one in deployment["schedules"]
    )
    show.ok(f"prefect.yaml: the deployment {name}, {when or 'without a schedule'}, table {table}")
    for warning in schedules.warnings([deployment]):
        show.warn(warning)
    if not wanted.infer:
        show.warn(
            f"src/{name}/contract.py and transform.py are the sample's. Write them, or have the "
            f"contract inferred: blueprint infer-contract --pipeline {name}"
        )
    show.ok("then type:")
    for command in (f"preview --pipeline {name}", "redeploy", f"run --pipeline {name}"):
        print(f"    blueprint {command}")
