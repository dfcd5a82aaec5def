"""Find the days of a promise: when each is due, and what has to be there by then.

Reads definitions/calendar.yml if the promise or the report is of working days; writes nothing.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import takewhile
from typing import NamedTuple
from zoneinfo import ZoneInfo

from analytics_worker.calendars.schedules import due_within_a_day, midnight, period_end
from flows.monitoring.promises.units import PromisedUnit

DAY = timedelta(days=1)
LOOK_BACK = timedelta(days=4)
"""How long the worker may be stopped without a promised day getting lost."""


class PromisedDay(NamedTuple):
    """A day of a promise.

    Attributes:
        name: Name of the promise.
        day: The day of the time by which it is due, in its time zone.
        due_at: When it is due.
        opens_at: From when it is awaited: the start of the day, or when the report is due.
        target: Through which instant the relation has to be complete, or the end of the period of the report.
    """

    name: str
    day: date
    due_at: datetime
    opens_at: datetime
    target: datetime

    def row(self) -> dict[str, str]:
        """Return the form in which ops.promise_days stores it."""
        return {name: str(value) for name, value in self._asdict().items()}


def promised_days(unit: PromisedUnit, since: datetime, now: datetime) -> list[PromisedDay]:
    """Return the days that are due after an instant, from `LOOK_BACK` ago to a day from now; the last may not have begun.

    Raises:
        DefinitionError: it depends on working days, and the calendar is not valid.
    """
    times = unit.promise.due_times(unit.timezone)
    dues = takewhile(lambda due: due <= now + DAY, times.after(max(since, now - LOOK_BACK)))
    return [day for due in dues for day in _day(unit, due, times.timezone)]


def _day(unit: PromisedUnit, due_at: datetime, timezone: str) -> Iterator[PromisedDay]:
    """Yield the day of a due time; none if no run of the report is due in the day before it."""
    day = due_at.astimezone(ZoneInfo(timezone)).date()
    if unit.schedule is None:
        start = midnight(day, timezone)
        yield PromisedDay(unit.name, day, due_at, start, start)
        return
    due = due_within_a_day(unit.schedule, due_at, timezone)
    if due and (unit.created_at is None or due >= unit.created_at):
        yield PromisedDay(unit.name, day, due_at, due, period_end(unit.schedule, due))
