"""The failure scenarios: a pipeline's own flow, with Prefect's own retries, made to fail."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import patch

from blueprint.failing_source import NEVER, Source
from blueprint.pipelines.which import package_of, part

if TYPE_CHECKING:
    from prefect.client.schemas.objects import Log
    from prefect.states import State

    from ingest.contract import Contract

_LOG_PATIENCE = 20.0


@dataclass
class Outcome:
    """What came of a scenario: how it was to end, how it did, and its log; no faults is well."""

    scenario: str
    expected: str
    ended: str = ""
    retries: int = 0
    log: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class Scenarios:
    """A pipeline's flow, and how it is made to fail. Call it after `local.without_server`."""

    def __init__(self, scratch: Path, source: Source, deployment: Mapping[str, Any]) -> None:
        from blueprint.flows import load_flow

        self._scratch, self._source, self._deployment = scratch, source, deployment
        self._package = package_of(deployment)
        self._flow = load_flow(deployment)
        self._number = 0

    def all(self) -> Iterator[Outcome]:
        """Each of them, run."""
        retries = self._retries()
        yield self._twice(retries)
        yield self._never(retries)
        yield self._missing()
        yield self._wrong_parameter()
        yield self._bad_contract()

    def _twice(self, retries: int) -> Outcome:
        one = Outcome("a source that fails twice, then answers", "Completed, after 2 retries")
        self._source.fail(2)
        self._run(one, "Completed", min(2, retries))
        if self._loaded() is None:
            one.faults.append("nothing was loaded")
        return one

    def _never(self, retries: int) -> Outcome:
        one = Outcome("a source that never answers", f"Failed, after {retries} retries")
        self._source.fail(NEVER, status=0)
        self._run(one, "Failed", retries)
        self._nothing_loaded(one)
        return one

    def _missing(self) -> Outcome:
        one = Outcome("a source that is not there (404)", "Failed at once, no retry")
        self._source.fail(NEVER, status=404)
        self._run(one, "Failed", 0)
        self._nothing_loaded(one)
        return one

    def _wrong_parameter(self) -> Outcome:
        from blueprint.flows import check_parameters
        from blueprint.project import Problem

        one = Outcome("a wrong parameter", "refused, no run is made", ended="refused")
        before = _count_runs()
        known = self._flow.parameters.properties
        for wrong in ({"batch_size": 0}, {"no_such_parameter": 1}):
            if "batch_size" in wrong and "batch_size" not in known:
                continue
            try:
                check_parameters(self._flow, self._deployment["name"], self._parameters() | wrong)
            except Problem as problem:
                one.log += str(problem).splitlines()[1:3]
            else:
                one.ended = "taken"
                one.faults.append(f"the flow takes {wrong}; see its signature and config.py")
        if _count_runs() != before:
            one.faults.append("a run was made")
        return one

    def _bad_contract(self) -> Outcome:
        """The project's contract with one more field, which no record has: all are refused."""
        from pydantic import create_model

        from ingest.steps import Limits

        one = Outcome("a bad contract", "Failed, nothing loaded, quarantine kept")
        fields: Any = {"no_record_has_this": (int, ...)}
        good = self._contract()
        stricter = create_model(good.record.__name__, __base__=good.record, **fields)
        bad = replace(good, record=stricter)
        flow = part(self._package, "flow")
        self._source.fail(0)
        with ExitStack() as stack:
            for module in (flow, part(self._package, "load")):
                if hasattr(module, "CONTRACT"):
                    stack.enter_context(patch.object(module, "CONTRACT", bad))
            if hasattr(flow, "LIMITS"):  # the project's own may bear any number
                stack.enter_context(patch.object(flow, "LIMITS", Limits(0.05)))
            self._run(one, "Failed", 0)
        self._nothing_loaded(one)
        kept = list((self._folder / "quarantine").glob("*.failed.ndjson"))
        if kept:
            one.log.append(f"quarantine kept: {len(kept[0].read_bytes().splitlines())} records")
        else:
            one.faults.append("the refused records are not in quarantine")
        return one

    def _run(self, one: Outcome, expected: str, retries: int) -> None:
        """Run the flow into a folder of its own, and hold its end against what is expected."""
        self._number += 1
        state = cast("State[Any]", self._flow(**self._parameters(), return_state=True))
        one.ended = state.name or ""
        one.log, one.retries = _told(state.state_details.flow_run_id, retries)
        if one.ended != expected:
            one.faults.append(f"it ended {one.ended}: {state.message}")
        if one.retries != retries:
            one.faults.append(f"its log tells of {one.retries} retries, not of {retries}")
        if not self._source.asked:
            one.faults.append("the source was not asked: does extract.py read source_url?")

    @property
    def _folder(self) -> Path:
        return self._scratch / str(self._number)

    def _parameters(self) -> dict[str, Any]:
        given = dict(self._deployment.get("parameters") or {})
        ours = {
            "source_url": self._source.url,
            "target": str(self._folder / "warehouse.duckdb"),
            "quarantine": str(self._folder / "quarantine"),
            # Whatever window a scheduled run takes, the cut records may be out of it.
            "mode": "full",
            "since": None,
            "until": None,
        }
        known = self._flow.parameters.properties
        return given | {name: value for name, value in ours.items() if name in known}

    def _loaded(self) -> object:
        from ingest.sinks import open_sink

        sink = open_sink(str(self._folder / "warehouse.duckdb"))
        return sink.last_load(self._contract().table)

    def _contract(self) -> Contract:
        return part(self._package, "contract").CONTRACT

    def _nothing_loaded(self, one: Outcome) -> None:
        if self._loaded() is not None:
            one.faults.append("rows were loaded")

    def _retries(self) -> int:
        """How often flow.py has the extraction retried."""
        from prefect import Task

        flow = part(self._package, "flow")
        tasks = [one for one in vars(flow).values() if isinstance(one, Task)]
        return next((one.retries for one in tasks if one.name == "extract"), 3)


def _told(run_id: Any, retries: int) -> tuple[list[str], int]:
    """The run's log as the server has it, once it is whole; and how many retries it tells of."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId

    from blueprint import triggering

    asked = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run_id]))
    end = time.monotonic() + _LOG_PATIENCE
    with get_client(sync_client=True) as client:
        while True:
            lines = client.read_logs(asked)
            found = sum("Retry " in one.message and " will start " in one.message for one in lines)
            whole = any(triggering.is_last(one) for one in lines)
            if (whole and found >= retries) or time.monotonic() > end:
                return [one.message.splitlines()[0] for one in lines if _tells(one)], found
            time.sleep(0.2)


def _tells(line: Log) -> bool:
    """Whether a line of the log says how the run ended, or tells of a retry."""
    of_the_flow = line.task_run_id is None and line.message.startswith(("Beginning", "Finished"))
    return of_the_flow or "Retry " in line.message or "Retries are exhausted" in line.message


def _count_runs() -> int:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        return len(client.read_flow_runs())
