"""When a report is due at times of its own: by its cron or times of day, in its time zone.

Reads definitions/calendar.yml if the report is due on working days; writes nothing. A report of one of
the three schedules has times of its own if its time zone is not that of the schedules: it is due at the same
hour of its zone.
"""

from collections.abc import Mapping
from datetime import datetime, time

from analytics_worker.calendars.due_times import DueTimes
from analytics_worker.calendars.weekdays import WORKING, Weekday, WorkingDay
from analytics_worker.calendars.working_days import WorkingDays, load_working_days
from flows.reports.definitions.model import Report

SCHEDULE_TIMES: Mapping[str, time] = {"daily": time(6), "weekly": time(8), "monthly": time(8)}
"""The times of the schedules of `generate_scheduled_reports` (prefect.yaml)."""

SCHEDULE_TIMEZONE = "UTC"


def due_times(report: Report) -> DueTimes | None:
    """Return when a report is due at times of its own; None if only a schedule or a person starts it.

    Raises:
        DefinitionError: it is due on working days, and the calendar is not valid.
    """
    if not report.has_own_times and report.timezone == SCHEDULE_TIMEZONE:
        return None
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


def next_due(report: Report, after: datetime) -> datetime | None:
    """Return when a report is due next after a time, by a schedule or at its own times."""
    times = due_times(report) or _schedule_times(report)
    return next(times.after(after), None) if times else None


def _schedule_times(report: Report) -> DueTimes | None:
    if report.schedule == "manual":
        return None
    return DueTimes(
        timezone=SCHEDULE_TIMEZONE,
        times=(SCHEDULE_TIMES[report.schedule],),
        days=_days(report),
        is_monthly=report.schedule == "monthly",
    )


def _days(report: Report) -> WorkingDay | tuple[Weekday, ...] | None:
    if report.weekdays is None:
        return ("mon",) if report.schedule == "weekly" else None
    return report.weekdays if isinstance(report.weekdays, str) else tuple(report.weekdays)
