"""The manifest and the user's code: importable, sound, and made for one another."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from blueprint import manifest, schedules
from blueprint.checking import here
from blueprint.checking.checks import Outcome
from blueprint.checking.verdict import BLUEPRINT
from blueprint.pipelines.which import package_of, part
from blueprint.processes import SERVER, port_owner
from blueprint.project import Problem, enter

if TYPE_CHECKING:
    from ingest.contract import Contract
    from ingest.steps import Judged

EDIT_MANIFEST = f"edit prefect.yaml, then: {BLUEPRINT} lint"
EDIT_CONTRACT = "edit one of these files, then: scripts/validate_setup.sh"
_EDIT_PORT = "edit prefect.toml ([api] url and [server.api] port), or end that process"


def lint(outcome: Outcome) -> None:
    """prefect.yaml has no unknown key, unset variable, or schedule that never comes true."""
    for fault in manifest.faults():
        outcome.fault(fault, EDIT_MANIFEST)
    if not outcome.wrong:
        plan = manifest.load()
        outcome.found = ", ".join(one["name"] for one in plan.deployments)
        for warning in schedules.warnings(plan.deployments):
            outcome.note(warning, EDIT_MANIFEST)


def edit(package: str, name: str) -> str:
    """What mends a fault of one of a pipeline's modules."""
    return f"edit src/{package}/{name}.py, then: scripts/validate_setup.sh"


def contract(outcome: Outcome, package: str) -> None:
    """contract.py can be imported, and records can be judged and staged by it."""
    from ingest.schema import columns_of

    found = _contract(package)
    if found.watermark and found.watermark not in columns_of(found.record):
        what = f"WATERMARK, {found.watermark!r}, is no field of the record"
        outcome.fault(what, edit(package, "contract"))
    with tempfile.TemporaryDirectory(prefix="validate-") as folder:
        way = _judge(found, Path(folder)).way
    outcome.found = f"table {found.table}, {len(found.record.model_fields)} fields, by {way}"


def transform(outcome: Outcome, package: str) -> None:
    """transform.py can be imported, and takes the contract's columns and gives those of KEY."""
    from ingest.staging import stage

    user_transform = part(package, "transform").transform
    try:
        found = _contract(package)
    except Exception:  # said by the check of the contract
        outcome.found = "imported; not tried, since the contract has a fault"
        return
    with tempfile.TemporaryDirectory(prefix="validate-") as folder:
        stage(_judge(found, Path(folder)), found, user_transform, Path(folder))
    outcome.found = "tried on no records"


def tables(outcome: Outcome) -> None:
    """No two pipelines load one table."""
    if manifest.faults():
        outcome.found = "not tried, since prefect.yaml has a fault"
        return
    from blueprint.pipelines.tables import shared

    plan = manifest.load()
    for fault in shared(plan.deployments):
        outcome.fault(fault, EDIT_CONTRACT)
    outcome.found = f"{len(plan.deployments)} deployments"


def flow(outcome: Outcome) -> None:
    """Each deployment's flow can be imported, and takes the parameters of prefect.yaml."""
    if manifest.faults():
        outcome.found = "not tried, since prefect.yaml has a fault"
        return
    from blueprint.flows import check_parameters, load_flow

    names = []
    for one in manifest.load().deployments:
        try:
            loaded = load_flow(one)
        except Problem as problem:
            outcome.fault(str(problem), edit(package_of(one), "flow"))
            continue
        names.append(f"{loaded.name}/{one['name']}")
        try:
            check_parameters(loaded, one["name"], one.get("parameters") or {})
        except Problem as problem:
            outcome.fault(str(problem), EDIT_MANIFEST)
    outcome.found = ", ".join(names)


def port(outcome: Outcome) -> None:
    """The port of the API is free, or a Prefect server has it."""
    try:
        project = enter()
    except Problem:  # said by the check of the settings
        outcome.found = "not tried, since prefect.toml or .env has a fault"
        return
    number = project.address[1]
    if not project.is_local:
        outcome.found = f"the API {project.api_url} is not on this machine"
    elif here.knock(project)[0] != "listens":
        outcome.found = f"{number} is free"
    elif here.is_prefect(project):
        ours = "this project's" if SERVER.process() else f"that of {port_owner(number)}"
        outcome.found = f"{number} is held by a Prefect server, {ours}"
    elif SERVER.process():
        outcome.found = f"{number} is held by this project's server, which is not ready yet"
    else:
        owner = port_owner(number)
        outcome.fault(f"port {number} is taken by {owner}, which is no Prefect server", _EDIT_PORT)


def _contract(package: str) -> Contract:
    from ingest.contract import Contract

    found = part(package, "contract").CONTRACT
    if not isinstance(found, Contract):
        raise Problem("its CONTRACT is no ingest.contract.Contract")
    return found


def _judge(found: Contract, folder: Path) -> Judged:
    """A source of no records, judged: all that is compiled for a run is compiled."""
    from ingest.formats import Format
    from ingest.gate import judge
    from ingest.say import silent
    from ingest.steps import Limits, SourceFile, Step

    empty = folder / "empty.ndjson"
    empty.touch()
    source = SourceFile(empty, Format.NDJSON, "nothing", 0)
    return judge(source, found, Step(1, Limits(1.0), folder / "quarantine", "-"), folder, silent)
