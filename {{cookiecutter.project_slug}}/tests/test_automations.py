"""What looks after the runs: bound to this project's deployments, and told where it is asked to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect.events.actions import CallWebhook, ChangeFlowRunState
from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger, Posture

from blueprint import automations, notifying, rules
from blueprint.project import Problem, mark
from blueprint.rules import HEARTBEAT, Patience, patience, wanted

WAITS = Patience(dead=90, pending=300, late=43200, notify="")


def one(heartbeat: object = "30") -> dict[str, Any]:
    env = {} if heartbeat is None else {HEARTBEAT: heartbeat}
    return {"name": "production-etl", "work_pool": {"job_variables": {"env": env}}}


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What [tool.blueprint] says."""
    given: dict[str, Any] = {"notify": "", "pending_seconds": 300, "late_seconds": 43200}
    monkeypatch.setattr(rules, "settings", lambda: {"tool": {"blueprint": given}})
    return given


def test_each_automation_names_this_projects_deployments_and_bears_its_slug_and_mark() -> None:
    ids = [uuid4(), uuid4()]
    tell = CallWebhook(block_document_id=uuid4())
    made = wanted("my-slug", ids, WAITS, tell)
    assert len({automation.name for automation in made}) == len(made) == 4
    for automation in made:
        assert automation.name.startswith(f"my-slug ({mark()[:8]}): ")
        assert automation.tags == [f"blueprint:{mark()}"]
        trigger = automation.trigger
        assert isinstance(trigger, EventTrigger)
        related = trigger.model_dump(mode="json")["match_related"]
        assert related["prefect.resource.role"] == "deployment"
        assert set(related["prefect.resource.id"]) == {f"prefect.deployment.{id}" for id in ids}


def test_no_state_that_a_run_may_be_left_in_is_taken_for_death() -> None:
    dead = wanted("s", [uuid4()], WAITS, None)[0].trigger
    assert isinstance(dead, EventTrigger)
    assert (dead.posture, dead.within) == (Posture.Proactive, timedelta(seconds=90))
    for state in ("Completed", "Failed", "Crashed", "Cancelled", "TimedOut", "Paused", "Suspended"):
        assert f"prefect.flow-run.{state}" in dead.expect
    for state in ("Running", "Retrying", "Cancelling"):
        assert f"prefect.flow-run.{state}" not in dead.expect


def test_no_automation_forces_a_state_on_a_run_that_has_ended() -> None:
    for automation in wanted("s", [uuid4()], WAITS, None):
        for action in automation.actions:
            assert isinstance(action, ChangeFlowRunState) and not action.force


def test_what_waits_for_never_is_not_made() -> None:
    made = wanted("s", [uuid4()], Patience(dead=90, pending=0, late=0, notify=""), None)
    assert [automation.name.partition(": ")[2] for automation in made] == [
        "a run whose process has died"
    ]


@pytest.mark.parametrize(("heartbeat", "dead"), [("30", 90), (180, 540), (None, 540)])
def test_a_run_is_dead_after_three_of_its_own_heartbeats(
    settings: dict[str, Any], heartbeat: object, dead: int
) -> None:
    assert patience([one(heartbeat)]).dead == dead
    assert patience([one("30"), one(heartbeat)]).dead == dead


@pytest.mark.parametrize("wrong", [5, -1, "300", 10.5, True])
def test_seconds_that_prefect_would_refuse_are_refused_before(
    settings: dict[str, Any], wrong: object
) -> None:
    settings["pending_seconds"] = wrong
    with pytest.raises(Problem, match="pending_seconds in pyproject.toml"):
        patience([one()])
    settings["pending_seconds"] = 300


@pytest.mark.parametrize("wrong", ["often", "29", 0, "-30", "30.5"])
def test_a_heartbeat_with_which_no_run_would_begin_is_refused(
    settings: dict[str, Any], wrong: object
) -> None:
    with pytest.raises(Problem, match=f"{HEARTBEAT} {wrong!r}.*30 or more"):
        patience([one("30"), one(wrong)])


class Server:
    """What `automations` asks of a client."""

    def __init__(self) -> None:
        self.held: list[Automation] = []

    def read_automations(self, limit: int, offset: int) -> list[Automation]:
        return self.held[offset : offset + limit]

    def create_automation(self, one: AutomationCore) -> None:
        self.held.append(Automation(**(one.model_dump() | {"id": uuid4()})))

    def delete_automation(self, automation_id: UUID) -> None:
        self.held = [one for one in self.held if one.id != automation_id]


def test_automations_that_are_there_twice_are_told_of_and_one_of_each_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(notifying, "remove_own", lambda client: None)
    server: Any = Server()
    deployments = [uuid4()]
    automations.reconcile(server, "s", deployments, WAITS)
    names = [one.name for one in server.held]
    assert automations.differences(server, "s", deployments, WAITS) == []
    for one in list(server.held):
        server.create_automation(one)
    told = automations.differences(server, "s", deployments, WAITS)
    assert len(told) == len(names) and all("is there twice" in one for one in told)
    automations.reconcile(server, "s", deployments, WAITS)
    assert [one.name for one in server.held] == names
    automations.reconcile(server, "s", [], WAITS)
    assert server.held == []


def test_where_it_is_told_is_a_name_and_a_secret_is_never_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALERTS", "https://hooks.example.com/T0/secret")
    for fine in ("", "env:ALERTS", "slack-webhook/our-team", "webhook/ours"):
        notifying.check(fine)
    with pytest.raises(Problem, match="NO_SUCH_VARIABLE"):
        notifying.check("env:NO_SUCH_VARIABLE")
    for wrong in ("https://hooks.example.com/T0/secret", "env:", "Slack/Team", "slack-webhook"):
        with pytest.raises(Problem, match="is none of") as raised:
            notifying.check(wrong)
        assert "hooks.example.com" not in str(raised.value)
