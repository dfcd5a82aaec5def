"""The Prefect server can compute the times of schedules with the locked packages."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from prefect.server.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule

START = datetime(2026, 3, 29, tzinfo=UTC)


@pytest.mark.parametrize("timezone", ["UTC", "Europe/Berlin", "Pacific/Chatham"])
@pytest.mark.parametrize(
    "schedule",
    [
        lambda zone: CronSchedule(cron="* * * * *", timezone=zone),
        lambda zone: IntervalSchedule(interval=timedelta(minutes=1), timezone=zone),
        lambda zone: RRuleSchedule(rrule="FREQ=MINUTELY", timezone=zone),
    ],
    ids=["cron", "interval", "rrule"],
)
def test_a_schedule_has_times(schedule, timezone):
    first, second = asyncio.run(schedule(timezone).get_dates(n=2, start=START))
    assert first.timestamp() >= START.timestamp()
    assert second.timestamp() - first.timestamp() == 60
