"""Estimate when a promise arrives, from the earlier days and from what it waits for.

Pure functions. Medians and the scaled median of the deviations, so that a few late days do not count.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from statistics import median
from typing import NamedTuple
from zoneinfo import ZoneInfo

from analytics_worker.calendars.due_times import instant_of
from analytics_worker.calendars.weekdays import WEEKDAYS
from analytics_worker.calendars.working_days import WorkingDays
from flows.monitoring.promises.days import PromisedDay

MIN_WEEKDAYS = 4
"""Earlier days of the same day of the week from which on only these count."""
MIN_DAYS = 5
MIN_SPREAD = timedelta(minutes=5)
_SCALE = 1.4826
"""Standard deviations of normally distributed values in their median absolute deviation."""


class Arrival(NamedTuple):
    """When it arrived on an earlier day, and when the dbt run before had ended."""

    day: date
    opens_at: datetime
    arrived_at: datetime
    built_at: datetime | None


@dataclass(frozen=True)
class Step:
    """What it waits for: how long that usually takes, and when it began."""

    usual: timedelta | None = None
    began_at: datetime | None = None
    is_dbt: bool = False


class Usual(NamedTuple):
    """The usual time since midnight, how much it varies, and the time since the end of dbt."""

    offset: timedelta
    spread: timedelta
    after_dbt: timedelta


def usual_arrival(
    arrivals: Sequence[Arrival], day: date, timezone: ZoneInfo, calendar: WorkingDays
) -> Usual | None:
    """Return when it usually arrives on such a day; None if the earlier days are too few."""
    similar = _similar(arrivals, day, calendar)
    if not similar:
        return None
    offsets = [_offset(each, timezone) for each in similar]
    middle = _median(offsets)
    spread = _median(abs(each - middle) for each in offsets) * _SCALE
    lags = [
        each.arrived_at - max(each.built_at, each.opens_at) for each in arrivals if each.built_at
    ]
    return Usual(middle, max(spread, MIN_SPREAD), _median(lags) if lags else timedelta())


def _similar(arrivals: Sequence[Arrival], day: date, calendar: WorkingDays) -> Sequence[Arrival]:
    """Return the days of the same day of the week, else all; holidays count on holidays only."""
    if _is_holiday(day, calendar):
        found = [each for each in arrivals if _is_holiday(each.day, calendar)]
        return found if len(found) >= MIN_WEEKDAYS else _enough(arrivals)
    usual = [each for each in arrivals if not _is_holiday(each.day, calendar)]
    found = [each for each in usual if each.day.weekday() == day.weekday()]
    return found if len(found) >= MIN_WEEKDAYS else _enough(usual)


def _enough(arrivals: Sequence[Arrival]) -> Sequence[Arrival]:
    return arrivals if len(arrivals) >= MIN_DAYS else ()


def _is_holiday(day: date, calendar: WorkingDays) -> bool:
    return WEEKDAYS[day.weekday()] in calendar.weekdays and day not in calendar


def _offset(arrival: Arrival, timezone: ZoneInfo) -> timedelta:
    """Return the time since midnight as the clock shows it."""
    local = arrival.arrived_at.astimezone(timezone).replace(tzinfo=None)
    return local - datetime.combine(arrival.day, time())


def _median(values: Iterable[timedelta]) -> timedelta:
    return timedelta(seconds=median(each.total_seconds() for each in values))


def expected_at(
    day: PromisedDay, usual: Usual, step: Step, now: datetime, timezone: ZoneInfo
) -> datetime:
    """Return when a day that has not arrived is expected; after it was due, as of then."""
    at = min(now, day.due_at)
    usually = instant_of(datetime.combine(day.day, time(), timezone) + usual.offset)
    if step.usual is None:
        return usually if at <= usually else at + usual.spread
    ended = max((step.began_at or at) + step.usual, at)
    expected = max(ended, day.opens_at) + (usual.after_dbt if step.is_dbt else timedelta())
    return expected if step.began_at else max(usually, expected)
