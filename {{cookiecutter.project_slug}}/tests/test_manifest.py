"""The manifest's lint: what Prefect would ignore, empty or deploy in silence is found first."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from blueprint.lint import lint
from blueprint.schedules import next_times, warnings
from runtime.project import ROOT

SET = {
    "PROJECT_PYTHON": "/python",
    "PROJECT_ROOT": "/root",
    "PROJECT_ID": "mark",
    "PROJECT_VERSION": "1",
}


def filled_in(name: str) -> str:
    """A variable as the manifest has it; two braces side by side would be the template's."""
    return "{" * 2 + f" ${name} " + "}" * 2


@pytest.fixture
def raw() -> dict[str, Any]:
    return {
        "name": "example",
        "pull": [],
        "deployments": [
            {
                "name": "production-etl",
                "entrypoint": "data_pipeline.flow:data_pipeline",
                "parameters": {"source_url": "data/x.ndjson", "batch_size": 500},
                "schedules": [
                    {"slug": "production", "cron": "0 9 * * *", "timezone": "Europe/Berlin"}
                ],
                "work_pool": {
                    "name": "a pool",
                    "job_variables": {
                        "command": filled_in("PROJECT_PYTHON") + " -m prefect.engine",
                        "working_dir": filled_in("PROJECT_ROOT"),
                        "env": {"BLUEPRINT_PROJECT": filled_in("PROJECT_ID")},
                    },
                },
            }
        ],
    }


def test_a_sound_manifest_has_no_faults(raw: dict[str, Any]) -> None:
    assert lint(raw, SET) == []


def test_this_projects_manifest_has_no_faults() -> None:
    raw = yaml.safe_load((ROOT / "prefect.yaml").read_text("utf-8"))
    assert lint(raw, SET) == []


@pytest.mark.parametrize(
    ("where", "key", "value", "said"),
    [
        ((), "deploymets", [], "'deploymets' is not a key"),
        (("deployments", 0), "shedules", [], "'shedules' is not a key"),
        (("deployments", 0), "name", "a/b", "allows no / in a name"),
        (("deployments", 0), "entrypoint", "flow.py", "must be module:function"),
        (("deployments", 0), "parameters", [1], "must be a mapping"),
        (("deployments", 0), "work_pool", "pool", "work_pool must be a mapping"),
        (("deployments", 0), "sla", [], "'sla' is not a key"),
        (("deployments", 0), "concurrency_limit", 0, "must be 1 or more"),
        (("deployments", 0), "concurrency_limit", {"limit": 1}, "must be ENQUEUE or CANCEL_NEW"),
        (
            ("deployments", 0),
            "concurrency_limit",
            {"limit": 1, "collision_strategy": "ENQUEUE", "colision": 1},
            "'colision' is not a key",
        ),
        (("deployments", 0, "work_pool"), "nme", "x", "'nme' is not a key"),
        (("deployments", 0, "work_pool"), "name", " ", "work_pool.name is missing"),
        (("deployments", 0, "work_pool", "job_variables"), "command", "python", "$PROJECT_PYTHON"),
        (("deployments", 0, "work_pool", "job_variables"), "working_dir", ".", "$PROJECT_ROOT"),
        (("deployments", 0, "work_pool", "job_variables"), "env", {}, "$PROJECT_ID"),
        (("deployments", 0, "schedules", 0), "cron", "0 25 * * *", "0 25 * * *"),
        (("deployments", 0, "schedules", 0), "cron", "0 9 * *", "must be five fields"),
        (("deployments", 0, "schedules", 0), "cron", "0 0 31 2 *", "ever comes true"),
        (("deployments", 0, "schedules", 0), "timezone", "Europe/Atlantis", "not an IANA name"),
        (("deployments", 0, "schedules", 0), "slug", "", "give it a slug"),
        (("deployments", 0), "triggers", [], "'triggers' is not a key"),
        (("deployments", 0), "name", "a?b", "allows no ? in a name"),
        (("deployments", 0), "name", "..", "a step in an address"),
        (("deployments", 0), "schedules", [{"slug": "x", "interval": "soon"}], "it needs a cron"),
        (("deployments", 0), "schedules", [{"slug": "x"}], "it needs a cron"),
        (("deployments", 0, "schedules", 0), "tiemzone", "UTC", "'tiemzone' is not a key"),
    ],
)
def test_a_fault_is_named(
    raw: dict[str, Any], where: tuple[Any, ...], key: str, value: Any, said: str
) -> None:
    spot: Any = raw
    for step in where:
        spot = spot[step]
    spot[key] = value
    faults = lint(raw, SET)
    assert len(faults) == 1
    assert said in faults[0]


def test_all_faults_are_reported_at_once(raw: dict[str, Any]) -> None:
    raw["nmae"] = 1
    raw["deployments"][0]["schedules"][0]["cron"] = "nonsense"
    assert len(lint(raw, SET)) == 2


def test_a_variable_that_is_not_set_is_named_and_not_deployed_as_nothing(
    raw: dict[str, Any],
) -> None:
    raw["deployments"][0]["parameters"]["source_url"] = filled_in("ORDERS_URL")
    assert lint(raw, SET) == ["$ORDERS_URL is used and not set: set ORDERS_URL in the environment"]
    assert lint(raw, {**SET, "ORDERS_URL": ""}) != []
    assert lint(raw, {**SET, "ORDERS_URL": "https://example.com/x"}) == []


def test_two_deployments_of_one_name_are_refused(raw: dict[str, Any]) -> None:
    raw["deployments"].append(copy.deepcopy(raw["deployments"][0]))
    assert lint(raw, SET) == ["two deployments are called 'production-etl'"]


@pytest.mark.parametrize("empty", [None, [], {"deployments": []}, {"deployments": "x"}])
def test_a_manifest_without_deployments_is_refused(empty: Any) -> None:
    assert len(lint(empty, SET)) == 1


def test_the_next_time_is_at_the_asked_hour_in_the_asked_timezone() -> None:
    winter = datetime(2026, 1, 15, 12, tzinfo=UTC)
    summer = datetime(2026, 7, 15, 12, tzinfo=UTC)
    for after in (winter, summer):
        due = next_times("0 9 * * *", "America/Chicago", after)[0]
        assert (due.hour, due.minute) == (9, 0)
    assert next_times("0 9 * * *", "America/Chicago", winter)[0].astimezone(UTC).hour == 15
    assert next_times("0 9 * * *", "America/Chicago", summer)[0].astimezone(UTC).hour == 14


@pytest.mark.parametrize(
    ("cron", "timezone", "warned"),
    [
        ("30 2 * * *", "America/Chicago", True),
        ("30 2 * * *", "Asia/Tokyo", False),
        ("30 9 * * *", "America/Chicago", False),
    ],
)
def test_an_hour_that_daylight_saving_skips_is_warned_of(
    raw: dict[str, Any], cron: str, timezone: str, warned: bool
) -> None:
    raw["deployments"][0]["schedules"][0] |= {"cron": cron, "timezone": timezone}
    assert bool(warnings(raw["deployments"])) is warned
