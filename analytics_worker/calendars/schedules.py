"""When a report is due, by its own times or with a schedule, and the end of the period that it covers then.

Reads definitions/calendar.yml if the report is due on working days; writes nothing. Periods start when the
previous one ends, also across clock changes.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

from analytics_worker.calendars.due_times import DueTimes
from analytics_worker.calendars.weekdays import WORKING, Weekday, WorkingDay
from analytics_worker.calendars.working_days import WorkingDays, load_working_days

ScheduleType = Literal["daily", "weekly", "monthly"]
PeriodKind = Literal[ScheduleType, "quarterly"]
PeriodName = Literal["day", "week", "month", "quarter"]

SCHEDULE_TIMES: Mapping[str, time] = {"daily": time(6), "weekly": time(8), "monthly": time(8)}
"""The times of the schedules of `generate_scheduled_reports` (prefect.yaml)."""

PERIOD_KINDS: Mapping[PeriodName, PeriodKind] = {
    "day": "daily",
    "week": "weekly",
    "month": "monthly",
    "quarter": "quarterly",
}
_DAY = timedelta(days=1)
_INSTANT = timedelta(microseconds=1)


class Scheduled(Protocol):
    """A report with the keys that say when it is due."""

    @property
    def schedule(self) -> Literal[ScheduleType, "manual"]: ...  # a key

    @property
    def at(self) -> Sequence[time]: ...

    @property
    def cron(self) -> str | None: ...

    @property
    def weekdays(self) -> WorkingDay | list[Weekday] | None: ...

    @property
    def timezone(self) -> str: ...

    @property
    def period(self) -> PeriodName | None: ...


def schedule_times(report: Scheduled) -> DueTimes | None:
    """Return when a report is due; None if only a person or an event starts it.

    Raises:
        DefinitionError: it is due on working days, and the calendar is not valid.
    """
    times = (
        report.at or [SCHEDULE_TIMES[report.schedule]] if report.schedule != "manual" else report.at
    )
    if not times and not report.cron:
        return None
    return DueTimes(
        timezone=report.timezone,
        times=tuple(times),
        cron=report.cron,
        days=_days(report),
        working_days=load_working_days() if report.weekdays in WORKING else WorkingDays(),
        is_monthly=report.schedule == "monthly" and report.weekdays is None,
    )


def _days(report: Scheduled) -> WorkingDay | tuple[Weekday, ...] | None:
    if report.weekdays is None:
        return ("mon",) if report.schedule == "weekly" else None
    return report.weekdays if isinstance(report.weekdays, str) else tuple(report.weekdays)


def period_kind(report: Scheduled) -> PeriodKind | None:
    """Return the kind of a report's periods; None if they are intervals between its due times."""
    if report.period is not None:
        return PERIOD_KINDS[report.period]
    if report.schedule != "manual":
        return report.schedule
    return None if report.cron or report.at else "daily"


def period_end(report: Scheduled, due: datetime) -> datetime:
    """Return the end of the period that a report covers when it is due."""
    kind = period_kind(report)
    if kind is None:
        return due
    today = due.astimezone(ZoneInfo(report.timezone)).date()
    return midnight(first_of(kind, today), report.timezone)


def due_within_a_day(report: Scheduled, end: datetime, timezone: str) -> datetime | None:
    """Return when a report is due last in the day until an instant, by the clock of a time zone."""
    times = schedule_times(report)
    due = next(islice(times.before(end + _INSTANT), 1), None) if times else None
    zone = ZoneInfo(timezone)
    if due and _clock(due, zone) > _clock(end, zone) - _DAY:
        return due
    return None


def _clock(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None)


def midnight(day: date, timezone: str) -> datetime:
    """Return when a day starts, in UTC."""
    local = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(timezone))
    return local.astimezone(UTC)


def first_of(kind: PeriodKind, day: date) -> date:
    """Return the first day of the period that a day is in."""
    if kind == "weekly":
        return day - timedelta(days=day.weekday())
    if kind == "quarterly":
        return date(day.year, 3 * quarter_of(day) - 2, 1)
    return day.replace(day=1) if kind == "monthly" else day


def quarter_of(day: date) -> int:
    """Return the number of the quarter that a day is in."""
    return (day.month + 2) // 3
