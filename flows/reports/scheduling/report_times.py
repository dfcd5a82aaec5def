"""When a report is due at times of its own: by its cron or times of day, in its time zone.

Reads definitions/calendar.yml if the report is due on working days; writes nothing. A report of one of
the three schedules has times of its own if its time zone is not that of the schedules: it is due at the same
hour of its zone.
"""

from datetime import datetime

from analytics_worker.calendars.due_times import DueTimes
from analytics_worker.calendars.schedules import schedule_times
from flows.reports.definitions.model import Report

SCHEDULE_TIMEZONE = "UTC"


def due_times(report: Report) -> DueTimes | None:
    """Return when a report is due at times of its own; None if only a schedule or a person starts it.

    Raises:
        DefinitionError: it is due on working days, and the calendar is not valid.
    """
    if not report.has_own_times and report.timezone == SCHEDULE_TIMEZONE:
        return None
    return schedule_times(report)


def next_due(report: Report, after: datetime) -> datetime | None:
    """Return when a report is due next after a time, by a schedule or at its own times."""
    times = schedule_times(report)
    return next(times.after(after), None) if times else None
