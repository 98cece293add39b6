"""What a server waits for, after it was away: a run's sign of life that it could not hear."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from prefect.server.database.orm_models import Automation, AutomationBucket, Base
from prefect.server.events import triggers
from prefect.server.events.actions import DoNothing
from prefect.server.events.schemas import automations as schemas
from prefect.server.events.schemas.automations import EventTrigger, Posture
from sqlalchemy.orm import Session

from blueprint import database


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> sa.Engine:
    """A database with Prefect's own tables, of a server that is away."""
    file = tmp_path / "it's prefect.db"
    monkeypatch.setattr(database, "path", lambda: file)
    engine = sa.create_engine(f"sqlite:///{file}")
    tables: Any = [Automation.__table__, AutomationBucket.__table__]
    Base.metadata.create_all(engine, tables=tables)
    return engine


def waiting(server: sa.Engine, posture: Any, within: int, left: float) -> UUID:
    """A wait of an automation that has `left` seconds, by its id."""
    now = datetime.now(UTC)
    trigger = EventTrigger(
        posture=posture,
        after={"prefect.flow-run.heartbeat"},
        expect={"prefect.flow-run.heartbeat"},
        for_each={"prefect.resource.id"},
        within=timedelta(seconds=within),
        threshold=1,
    )
    one = Automation(
        id=uuid4(),
        name="a run whose process has died",
        description="",
        trigger=trigger,
        actions=[DoNothing()],
    )
    bucket = AutomationBucket(
        id=uuid4(),
        automation_id=one.id,
        trigger_id=trigger.id,
        bucketing_key=["prefect.flow-run.1"],
        start=now + timedelta(seconds=left - within),
        end=now + timedelta(seconds=left),
        count=0,
    )
    with Session(server) as session:
        session.add(one)
        session.flush()
        session.add(bucket)
        session.commit()
        return bucket.id


def left(server: sa.Engine, wait: UUID) -> float:
    """The seconds that a wait has, as Prefect itself reads it."""
    with Session(server) as session:
        bucket: Any = session.get(AutomationBucket, wait)
        return (bucket.end - datetime.now(UTC)).total_seconds()


@pytest.mark.parametrize("before", [-7200, -1, 20])
def test_a_run_has_its_whole_time_for_a_sign_of_life_once_the_server_is_back(
    server: sa.Engine, before: float
) -> None:
    wait = waiting(server, Posture.Proactive, 90, before)
    database.prepare()
    assert 90 < left(server, wait) <= 90 + database._START


def test_a_wait_with_time_enough_and_one_that_counts_events_stay_as_they_are(
    server: sa.Engine,
) -> None:
    late = waiting(server, Posture.Proactive, 43200, 3600)
    counted = waiting(server, Posture.Reactive, 90, -10)
    database.prepare()
    assert left(server, late) == pytest.approx(3600, abs=30)
    assert left(server, counted) == pytest.approx(-10, abs=30)


def test_prefect_fires_no_automation_for_the_time_in_which_its_server_was_away(
    server: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fired: list[UUID] = []

    async def fire(_: object, firing: Any) -> None:
        fired.append(firing.trigger.id)

    async def removed(_: object, bucket: object) -> None:
        pass

    monkeypatch.setattr(triggers, "fire", fire)
    monkeypatch.setattr(triggers, "remove_bucket", removed)

    def evaluated(wait: UUID) -> int:
        with Session(server) as session:
            bucket: Any = session.get(AutomationBucket, wait)
            held = session.get(Automation, bucket.automation_id)
            whole = schemas.Automation.model_validate(held, from_attributes=True)
            trigger: Any = whole.trigger
            now: Any = datetime.now(UTC)
            nothing: Any = None
            asyncio.run(triggers.evaluate(nothing, trigger, bucket, now, None))
        return len(fired)

    wait = waiting(server, Posture.Proactive, 90, -600)
    assert evaluated(wait) == 1
    database.prepare()
    assert evaluated(wait) == 1
