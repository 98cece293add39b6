"""What differs from the manifest is found key by key, and no secret is printed in telling so."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import yaml
from prefect.exceptions import PrefectHTTPStatusError

from blueprint import comparing, manifest, runs, trying, withholding
from blueprint.comparing import differences
from blueprint.project import Problem
from blueprint.withholding import Filled
from runtime.project import ROOT

PASSWORD = "hunter2"
TARGET = f"postgresql://ann:{PASSWORD}@db/sales"


@pytest.fixture(autouse=True)
def _one_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "_signature", lambda held, wanted: [])


def wanted(**changed: Any) -> dict[str, Any]:
    pool = {"name": "pool", "job_variables": changed.pop("job_variables", {})}
    return {"name": "etl", "entrypoint": "a:b", "work_pool": pool, **changed}


def held(**changed: Any) -> Any:
    same = {"entrypoint": "a:b", "parameters": {}, "work_pool_name": "pool", "job_variables": {}}
    empty = dict.fromkeys(
        ("description", "paused", "enforce_parameter_schema", "work_queue_name"), None
    )
    rest = {"tags": [], "pull_steps": [], "global_concurrency_limit": None, "id": "d"}
    return SimpleNamespace(**{**same, **empty, **rest, **changed})


def found(there: Any, here: dict[str, Any]) -> list[str]:
    client: Any = SimpleNamespace(read_deployment_schedules=lambda _: [])
    return differences(there, here, client)


def filled(text: str, *values: str) -> Filled:
    marked = Filled(text)
    marked.filled = values
    return marked


def test_a_reference_to_a_block_hides_no_difference_beside_it() -> None:
    block = "{" * 2 + " prefect.blocks.secret.token " + "}" * 2
    here = wanted(
        job_variables={"env": {"TOKEN": block, "MODE": "new"}, "command": "python"},
        parameters={"source_url": block, "batch_size": 2},
    )
    there = held(
        job_variables={"env": {"TOKEN": "t0ken", "MODE": "old", "LEFT": "1"}},
        parameters={"source_url": "orders.csv", "batch_size": 1},
    )
    assert sorted(found(there, here)) == [
        "etl: job_variables.command is only in the manifest",
        "etl: job_variables.env.LEFT is only on the server",
        "etl: job_variables.env.MODE is another on the server than in the manifest",
        "etl: parameters.batch_size is 1 on the server and 2 in the manifest",
    ]


def test_no_null_is_taken_for_a_value_that_is_absent() -> None:
    assert found(held(parameters={}), wanted(parameters={"until": None})) == [
        "etl: parameters.until is only in the manifest"
    ]


def test_neither_a_password_nor_what_a_variable_filled_in_is_told() -> None:
    here = wanted(
        parameters={"target": TARGET},
        job_variables={"env": {"API_KEY": "k3y"}},
        tags=[filled("team-s3cret", "s3cret")],
        description="of d3sc",
    )
    there = held(parameters={"target": f"{TARGET}-old"}, job_variables={"env": {"API_KEY": "old"}})
    told = "\n".join(found(there, here))
    for name in ("parameters.target", "job_variables.env.API_KEY", "tags", "description"):
        assert f"etl: {name} is another" in told
    for value in (PASSWORD, "k3y", "old", "s3cret", "d3sc"):
        assert value not in told


def test_the_manifest_knows_what_the_environment_filled_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = yaml.safe_load((ROOT / "prefect.yaml").read_text("utf-8"))
    one = raw["deployments"][0]
    one["parameters"]["target"] = "{" * 2 + " $SALES_DB " + "}" * 2
    path = tmp_path / "prefect.yaml"
    path.write_text(yaml.safe_dump(raw), "utf-8")
    monkeypatch.setenv("SALES_DB", TARGET)
    deployment = manifest.load(path).first
    assert deployment["parameters"]["target"] == TARGET
    assert withholding.is_filled(deployment["parameters"])
    assert not withholding.is_filled(deployment["work_pool"])  # the project's own variables


def test_a_runs_parameters_are_shown_without_secrets() -> None:
    plan = {"target": TARGET, "token": filled("t0ken", "t0ken"), "source_url": "orders.csv"}
    run = {**plan, "token": "an older t0ken", "batch_size": 5}
    assert withholding.parameters(run, plan, {}) == {
        "target": "postgresql://ann@db/sales",
        "token": "***",
        "source_url": "orders.csv",
        "batch_size": 5,
    }
    assert withholding.parameters({"token": "mine"}, plan, {"token": "mine"}) == {"token": "mine"}
    for odd in ("postgresql://ann:12/34@db/sales", f"mysql://ann:{PASSWORD}@db"):
        assert withholding.parameters({"target": odd}, {}, {}) == {"target": "***"}


def test_what_another_program_prints_is_told_without_secrets() -> None:
    plan = [{"parameters": {"token": filled("t0ken", "t0ken")}}]
    told = withholding.message(f"t0ken is refused, and so is {TARGET}", plan)
    assert told == "*** is refused, and so is postgresql://***@db/sales"


def test_a_local_run_names_its_target_without_the_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: Any) -> None:
        raise Problem("no such database")

    monkeypatch.setattr(trying.local, "without_server", lambda: None)
    monkeypatch.setattr(trying.local, "run", fails)
    with pytest.raises(Problem, match="no such database"):
        trying.test_local({"target": TARGET}, keep=False, as_json=False)
    printed = capsys.readouterr().out
    assert "into postgresql://ann@db/sales" in printed and PASSWORD not in printed


def test_what_the_server_refuses_is_told_without_the_password() -> None:
    def refuses(*_: Any, **__: Any) -> None:
        request = httpx.Request("POST", "http://server/api")
        detail = {"detail": f"Validation failed: {TARGET!r} is not one of ['a', 'b']"}
        answer = httpx.Response(409, json=detail, request=request)
        raise PrefectHTTPStatusError("409", request=request, response=answer)

    client: Any = SimpleNamespace(create_flow_run_from_deployment=refuses)
    there: Any = SimpleNamespace(id="d", parameter_openapi_schema={"properties": {"target": {}}})
    with pytest.raises(Problem, match="is not one of") as raised:
        runs.trigger(client, there, {"target": TARGET})
    assert PASSWORD not in str(raised.value)
