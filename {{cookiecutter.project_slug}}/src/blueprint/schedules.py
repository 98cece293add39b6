"""Schedules: as Prefect reads them, and when they are next due, reckoned without Prefect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule


def schedule_of(schedule: Mapping[str, Any]) -> CronSchedule | IntervalSchedule | RRuleSchedule:
    """One of the manifest's schedules as Prefect's own type, with only what is given set.

    Raises:
        KeyError: it has none of cron, interval and rrule.
        ValueError: Prefect cannot read it.
    """
    from prefect.client.schemas import schedules

    kinds = {
        "cron": schedules.CronSchedule,
        "interval": schedules.IntervalSchedule,
        "rrule": schedules.RRuleSchedule,
    }
    kind = next((key for key in kinds if key in schedule), "cron")
    keys = {"cron", "interval", "rrule", "timezone", "anchor_date", "day_or"} & schedule.keys()
    return kinds[kind](**{key: schedule[key] for key in keys if schedule[key] is not None})


def warnings(deployments: Sequence[Mapping[str, Any]]) -> list[str]:
    """What works, and yet may surprise: hours that daylight saving skips or repeats."""
    return [
        f"{one['name']}: {schedule['cron']!r} lies in hours that daylight saving time skips or repeats "
        f"in {schedule.get('timezone')}: on two days of the year it runs an hour off"
        for one in deployments
        for schedule in one.get("schedules") or []
        if "cron" in schedule and _meets_daylight_saving(schedule["cron"], schedule.get("timezone"))
    ]


def _meets_daylight_saving(cron: str, timezone: str | None) -> bool:
    """Whether a fixed hour of 1 or 2 meets a zone whose offset changes over the year."""
    zone = ZoneInfo(timezone or "UTC")
    year = datetime.now(UTC).year
    offsets = {datetime(year, month, 15, tzinfo=zone).utcoffset() for month in range(1, 13)}
    return len(offsets) > 1 and bool({"1", "2", "01", "02"} & set(cron.split()[1].split(",")))


def next_times(cron: str, timezone: str, after: datetime, count: int = 1) -> list[datetime]:
    """The next `count` times of a cron schedule, in its timezone, after the moment `after`.

    Reckoned by cronsim, not by Prefect, so that the two can be held against each other.
    """
    from cronsim import CronSim, CronSimError

    try:
        times = CronSim(cron, after.astimezone(ZoneInfo(timezone)))
        return [next(times) for _ in range(count)]
    except CronSimError as error:
        raise ValueError(str(error)) from error
