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
from blueprint.pipelines import copies, editing, finding, naming, noted, placing, tables
from blueprint.pipelines.which import NOTES, packages_of
from blueprint.processes import alone
from blueprint.project import STATE, Problem
from ingest.errors import PipelineError
from ingest.sources import without_secrets

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


@dataclass(frozen=True)
class _Planned:
    """What is to be added. text: prefect.yaml with it."""

    table: str
    project: str
    deployment: dict[str, Any]
    text: str


def add(wanted: Wanted) -> None:
    """Add it to prefect.yaml, src and tests, or change nothing.

    Raises:
        Problem: its name or its table is taken, a value has a fault, or prefect.yaml is written
            in a way that cannot be edited soundly.
        PipelineError: its source cannot be read.
    """
    show.heading(f"Add the pipeline {wanted.name}")
    with alone():
        naming.check(wanted.name, manifest.load().deployments)
        planned = _plan(wanted)
        with _made_aside(wanted.name, planned) as aside:
            _write_contract(wanted, planned, aside)
            # An inference takes its time: what somebody has written meanwhile is kept.
            now = _plan(wanted)
            if now.deployment != planned.deployment:
                raise Problem(
                    "The first deployment in prefect.yaml has changed meanwhile, and with it what "
                    "the new one takes over. Nothing was added: type the same command again."
                )
            _note(wanted.name, aside, now.text)
            placing.put_in(aside, now.text)
    _tell(wanted, planned)


def _plan(wanted: Wanted) -> _Planned:
    plan = manifest.load()
    text = placing.read_manifest()
    raw = yaml.safe_load(text)
    naming.refuse_another(wanted.name, raw["deployments"])
    table = _table(wanted, packages_of(plan.deployments))
    deployment = _deployment(wanted, raw["deployments"][0])
    edited = editing.added(text, deployment)
    if faults := manifest.faults_of(yaml.safe_load(edited)):
        listed = "\n".join(f"  - {fault}" for fault in faults)
        raise Problem(f"The pipeline cannot be added as it was asked for:\n{listed}")
    return _Planned(table, plan.name, deployment, edited)


def _note(name: str, aside: Path, text: str) -> None:
    """Keep with its code how all of it was added."""
    shutil.rmtree(aside / "src" / name / "__pycache__", ignore_errors=True)
    files = (path for path in aside.rglob("*") if path.is_file())
    made = {path.relative_to(aside).as_posix(): path.read_text("utf-8") for path in files}
    made[finding.deployment(name)] = editing.block_of(text, name) or ""
    _write(aside / "src" / name / NOTES, noted.notes(made))


def _table(wanted: Wanted, packages: list[str]) -> str:
    """The name of its table, which no other pipeline of this project loads. Raises Problem."""
    table = wanted.table or wanted.name
    if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]{0,59}", table):
        raise Problem(f"--table takes letters, digits and _, 60 at most, not {table!r}.")
    if package := tables.owner(table, packages):
        raise Problem(
            f"The table {table} is that of the pipeline {package}, and two would mix their rows "
            f"in it. Give the new one another: --table {tables.free(table, packages)}, perhaps."
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
    if wanted.schedule is not None:  # which is asked for, and is to run
        made.pop("paused", None)
    return made


def _schedules(wanted: Wanted, before: list[dict[str, Any]]) -> list[dict[str, Any]]:
    # What a schedule of the first one gives as parameters is for its flow.
    kept = [{key: value for key, value in one.items() if key != "parameters"} for one in before]
    zone = wanted.timezone or next((one["timezone"] for one in kept if one.get("timezone")), "UTC")
    if wanted.schedule is not None:
        return [{"slug": "production", "cron": wanted.schedule, "timezone": zone}]
    if wanted.timezone is not None:
        kept = [{**one, "timezone": zone} for one in kept]
    return kept


@contextmanager
def _made_aside(name: str, planned: _Planned) -> Iterator[Path]:
    """The new code and tests in a folder aside, from where the code can be imported."""
    aside = STATE / "scratch" / f"adding-{name}-{os.getpid()}"
    package, tests = aside / "src" / name, aside / "tests"
    package.mkdir(parents=True)
    tests.mkdir()
    # A flow's name is one for the whole server, which other projects may share.
    flow_name = re.sub(r"[^\w.-]+", "-", f"{planned.project}-{name}")
    sys.path.insert(0, str(aside / "src"))
    try:
        for part_name, text in copies.code(name, flow_name, planned.table).items():
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


def _write_contract(wanted: Wanted, planned: _Planned, aside: Path) -> None:
    source = manifest.filled(str(planned.deployment["parameters"]["source_url"]))
    if not wanted.infer:
        inferring.asked(source, wanted.name)  # raises where it is no source
        return
    show.doing(f"inferring its contract from {without_secrets(source)}")
    try:
        inferred = inferring.inferred_of(source, wanted.name, planned.table)
    except PipelineError as error:
        raise Problem(
            f"{error}\nNothing was added. If its extract.py has to be written first (credentials, "
            f"pages): blueprint add-pipeline {wanted.name} … --no-infer"
        ) from None
    package = aside / "src" / wanted.name
    _write(package / "contract.py", inferred.text)
    _write(package / "transform.py", copies.PASS_THROUGH)
    inferring.report(inferred, f"src/{wanted.name}/contract.py")


def _tell(wanted: Wanted, planned: _Planned) -> None:
    name, deployment = wanted.name, planned.deployment
    show.ok(f"src/{name}/: its flow, contract, source and transform; yours to edit")
    show.ok(f"tests: {', '.join(copies.tests(name))}")
    when = "; ".join(
        f"{one.get('cron') or one.get('rrule') or one.get('interval')} in {one.get('timezone', 'UTC')}"
        for one in deployment["schedules"]
    )
    show.ok(
        f"prefect.yaml: the deployment {name}, {when or 'without a schedule'}, table {planned.table}"
    )
    for warning in schedules.warnings([deployment]):
        show.warn(warning)
    if deployment.get("paused") or any(
        one.get("active") is False for one in deployment["schedules"]
    ):
        show.warn("like the first deployment it does not run by itself: paused, or not active")
    if not wanted.infer:
        show.warn(
            f"src/{name}/contract.py and transform.py are the sample's. Write them, or have the "
            f"contract inferred: blueprint infer-contract --pipeline {name}"
        )
    show.ok("then type:")
    for command in (f"preview --pipeline {name}", "redeploy", f"run --pipeline {name}"):
        print(f"    blueprint {command}")
