"""Find through which instant a relation is complete from its events per hour.

Reads nothing, writes nothing. From the latest event on, hours that are usually empty do not hold the
completeness back; an hour of the last days that always had rows, and has none or far fewer than ever, ends it.
"""

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from statistics import median
from typing import NamedTuple
from zoneinfo import ZoneInfo

from analytics_worker.calendars.working_days import WorkingDays

HOUR = timedelta(hours=1)
WARM_UP_WEEKS = 3
GAP_DAYS = 7
FEWER_THAN_EVER = 0.25
CERTAIN_ROWS = 10
"""Median from which an hour without rows is a gap and not chance."""

Slot = tuple[int, int]


class Completeness(NamedTuple):
    """Through which instant all events are there, and what ends it."""

    through: datetime
    reason: str | None = None
    missing: Mapping[datetime, int] | None = None
    """At least how many rows are missing in each hour since then; None during the warm-up."""


@dataclass(frozen=True)
class Arrivals:
    """The rows of each hour of event time (UTC) since an instant."""

    rows: Mapping[datetime, int]
    since: datetime
    timezone: ZoneInfo
    holidays: Container[date]


@dataclass(frozen=True)
class Holidays:
    """The days off that fall on a weekday of work."""

    calendar: WorkingDays
    _known: dict[object, bool] = field(default_factory=dict[object, bool], compare=False)

    def __contains__(self, day: object) -> bool:
        """Return whether a day is a holiday; each day is looked up once, not once for each of its hours."""
        if day not in self._known:
            self._known[day] = isinstance(day, date) and self._is_day_off(day)
        return self._known[day]

    def _is_day_off(self, day: date) -> bool:
        return day in WorkingDays(self.calendar.weekdays) and day not in self.calendar


def complete_through(latest: datetime, now: datetime, arrivals: Arrivals) -> Completeness:
    """Return through which instant a relation is complete; during the warm-up, its latest event."""
    usual = _usual_rows(arrivals, _hour(latest))
    if gap := _first_gap(latest, arrivals, usual):
        shown = gap.astimezone(arrivals.timezone)
        reason = f"no rows, or far fewer than ever, from {shown:%Y-%m-%d %H:%M %Z}"
        return Completeness(gap, reason, _missing_rows(gap, latest, now, arrivals, usual))
    through = min(now, _through_quiet_hours(latest, now, arrivals, usual))
    return Completeness(through, None, _missing_rows(through, latest, now, arrivals, usual))


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _slot(hour: datetime, timezone: ZoneInfo) -> Slot:
    local = hour.astimezone(timezone)
    return local.weekday(), local.hour


def _hours(start: datetime, end: datetime) -> Iterator[datetime]:
    while start < end:
        yield start
        start += HOUR


def _is_holiday(hour: datetime, arrivals: Arrivals) -> bool:
    return hour.astimezone(arrivals.timezone).date() in arrivals.holidays


def _usual_rows(arrivals: Arrivals, end: datetime) -> dict[Slot, list[int]]:
    """Return the rows of each hour of the week in the past weeks, without holidays."""
    usual: defaultdict[Slot, list[int]] = defaultdict(list)
    for hour in _hours(_hour(arrivals.since) + HOUR, end):
        if not _is_holiday(hour, arrivals):
            usual[_slot(hour, arrivals.timezone)].append(arrivals.rows.get(hour, 0))
    return {slot: rows for slot, rows in usual.items() if len(rows) >= WARM_UP_WEEKS}


def _first_gap(
    latest: datetime, arrivals: Arrivals, usual: Mapping[Slot, list[int]]
) -> datetime | None:
    """Return the first hour before the latest event that has far fewer rows than the other weeks."""
    start = max(_hour(latest) - timedelta(days=GAP_DAYS), _hour(arrivals.since) + HOUR)
    for hour in _hours(start, _hour(latest)):
        rows = arrivals.rows.get(hour, 0)
        others = list(usual.get(_slot(hour, arrivals.timezone), ()))
        if _is_holiday(hour, arrivals) or len(others) <= WARM_UP_WEEKS:
            continue
        others.remove(rows)
        if median(others) >= CERTAIN_ROWS and rows < FEWER_THAN_EVER * min(others):
            return hour
    return None


def _through_quiet_hours(
    latest: datetime, now: datetime, arrivals: Arrivals, usual: Mapping[Slot, list[int]]
) -> datetime:
    """Return the end of the usually empty hours that follow the latest event.

    A week without any busy hour is no pattern.
    """
    through = latest
    if not _is_pattern(usual) or _is_cut_short(latest, arrivals, usual):
        return through
    for hour in _hours(_hour(latest) + HOUR, now):
        rows = usual.get(_slot(hour, arrivals.timezone))
        if not rows or (median(rows) > 0 and not _is_holiday(hour, arrivals)):
            return through
        through = hour + HOUR
    return through


def _is_cut_short(latest: datetime, arrivals: Arrivals, usual: Mapping[Slot, list[int]]) -> bool:
    """Return whether the hour of the latest event has far fewer rows than ever."""
    others = usual.get(_slot(latest, arrivals.timezone))
    rows = arrivals.rows.get(_hour(latest), 0)
    return bool(others) and rows < FEWER_THAN_EVER * min(others)


def _is_pattern(usual: Mapping[Slot, list[int]]) -> bool:
    return any(median(rows) > 0 for rows in usual.values())


def _missing_rows(
    through: datetime,
    latest: datetime,
    now: datetime,
    arrivals: Arrivals,
    usual: Mapping[Slot, list[int]],
) -> Mapping[datetime, int] | None:
    """Return by how many rows each hour that is over is below the fewest of the other weeks, if far below."""
    if not _is_pattern(usual):
        return None
    start = max(_hour(through), _hour(now) - timedelta(days=GAP_DAYS))
    found = {
        hour: _missing_in(hour, latest, arrivals, usual)
        for hour in _hours(start, _hour(now))
        if not _is_holiday(hour, arrivals)
    }
    return {hour: rows for hour, rows in found.items() if rows}


def _missing_in(
    hour: datetime, latest: datetime, arrivals: Arrivals, usual: Mapping[Slot, list[int]]
) -> int:
    rows = arrivals.rows.get(hour, 0)
    others = list(usual.get(_slot(hour, arrivals.timezone), ()))
    if hour < _hour(latest) and rows in others:
        others.remove(rows)
    fewest = min(others, default=0)
    return fewest - rows if rows < FEWER_THAN_EVER * fewest else 0
