"""Compute when something is due: at times of day or by cron, on some days, in a time zone.

Reads nothing, writes nothing. A time that the clock skips is due when the clock has moved on, and a time
that the clock shows twice is due the first time. Times by ``*`` of hour or minute follow the clock as it
is shown: hourly is 23 times on a day of 23 hours, and 25 times on one of 25.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cached_property
from itertools import takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from analytics_worker.calendars.weekdays import WEEKDAYS, Weekday, WorkingDay
from analytics_worker.calendars.working_days import WorkingDays

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
MAX_DAYS = 3000
"""How far due times are searched for: within that, there is a leap day."""


class CronError(ValueError):
    """A cron expression is not valid."""


def parse_cron(expression: str) -> CronSim:
    """Parse a cron expression of five fields.

    Raises:
        CronError: it is not valid.
    """
    seconds = "0 " if len(expression.split()) == 6 else ""  # noqa: PLR2004  # seven are refused
    try:
        return CronSim(seconds + expression, datetime(2000, 1, 1, tzinfo=UTC))
    except (CronSimError, ValueError, AssertionError) as error:
        raise CronError(
            f"{expression!r:.60} is not a valid cron expression ({error}); expected minute, hour, day,"
            ' month and day of the week: "30 7 * * 1-5"'
        ) from None


@dataclass(frozen=True)
class DueTimes:
    """When something is due.

    Attributes:
        timezone: The IANA time zone of the times and days.
        times: Times of day.
        cron: A cron expression in place of times.
        days: Days of the week, or working days; None: every day.
        working_days: The calendar of working days.
        is_monthly: Whether it is due on the 1st of each month only.
    """

    timezone: str
    times: tuple[time, ...] = ()
    cron: str | None = None
    days: WorkingDay | tuple[Weekday, ...] | None = None
    working_days: WorkingDays = field(default_factory=WorkingDays)
    is_monthly: bool = False

    def after(self, start: datetime) -> Iterator[datetime]:
        """Yield the due times after a time, the earliest first."""
        day = start.astimezone(self._zone).date() - DAY
        for number in range(MAX_DAYS):
            for due in self._of_day(day + number * DAY):
                if due > start:
                    yield due
                    start = due

    def before(self, end: datetime) -> Iterator[datetime]:
        """Yield the due times before a time, the latest first."""
        day = end.astimezone(self._zone).date() + DAY
        for number in range(MAX_DAYS):
            for due in reversed(self._of_day(day - number * DAY)):
                if due < end:
                    yield due
                    end = due

    def latest(self, since: datetime, until: datetime, limit: int) -> list[datetime]:
        """Return the last due times after `since` until `until`, the earliest first."""
        dues = takewhile(lambda due: due > since, self.before(until + timedelta(microseconds=1)))
        return [due for due, _ in zip(dues, range(limit), strict=False)][::-1]

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @cached_property
    def _cron(self) -> CronSim | None:
        return parse_cron(self.cron) if self.cron else None

    def _of_day(self, day: date) -> list[datetime]:
        """Return the due times of a local day in UTC, the earliest first, each once."""
        if not self._is_due_on(day):
            return []
        if self._cron is None:
            times = self.times
        elif any(part.startswith("*") for part in self._cron.parts[1:3]):
            return self._by_the_clock(day, self._cron)
        else:
            times = [time(h, m) for h in self._cron.hours for m in self._cron.minutes]
        return sorted({instant_of(datetime.combine(day, each, self._zone)) for each in times})

    def _by_the_clock(self, day: date, cron: CronSim) -> list[datetime]:
        """Return the minutes of a day in which the local clock shows one of the times."""
        start, end = (instant_of(datetime.combine(d, time(), self._zone)) for d in (day, day + DAY))
        minutes = [start + number * MINUTE for number in range((end - start) // MINUTE)]
        return [
            minute
            for minute in minutes
            if (local := minute.astimezone(self._zone)).minute in cron.minutes
            and local.hour in cron.hours
        ]

    def _is_due_on(self, day: date) -> bool:
        if self._cron and not (day.month in self._cron.months and self._cron.match_day(day)):
            return False
        return self._is_selected(day) and (day.day == 1 or not self.is_monthly)

    def _is_selected(self, day: date) -> bool:
        match self.days:
            case None:
                return True
            case "working":
                return day in self.working_days
            case "first_working":
                return self.working_days.is_first_of_month(day)
            case "last_working":
                return self.working_days.is_last_of_month(day)
            case weekdays:
                return WEEKDAYS[day.weekday()] in weekdays


def instant_of(local: datetime) -> datetime:
    """Return a local time in UTC; the end of the gap for one that the clock skips."""
    instant = local.astimezone(UTC)
    if instant.astimezone(local.tzinfo).replace(tzinfo=None) == local.replace(tzinfo=None):
        return instant
    return _next_transition(local.replace(fold=1).astimezone(UTC), instant, local.tzinfo)


def _next_transition(start: datetime, end: datetime, zone: tzinfo | None) -> datetime:
    """Return the instant between two times at which the offset of the zone changes."""
    before, after = int(start.timestamp()), int(end.timestamp())
    offset = start.astimezone(zone).utcoffset()
    while after - before > 1:
        middle = (before + after) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return datetime.fromtimestamp(after, UTC)
