"""Until when a run is held.

Reads definitions/calendar.yml if the report is due on working days; writes nothing.
"""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from analytics_worker.calendars.due_times import instant_of
from flows.reports.runs.model import ReportRun
from flows.reports.scheduling.report_times import next_due

DAY = timedelta(days=1)


def hold_until(run: ReportRun) -> datetime:
    """Return until when a run is held at most: its ``latest``, or when its report is due again if that is earlier.

    Raises:
        DefinitionError: the report is due on working days, and the calendar is not valid.
    """
    due, again = run.due_at or run.created_at, due_again(run)
    latest = run.report.requires.latest if run.report.requires else None
    return min(again, _next_time(latest, due, run.report.timezone)) if latest else again


def due_again(run: ReportRun) -> datetime:
    """Return when the report of a run is due again: until then, its parts are held at most.

    Raises:
        DefinitionError: the report is due on working days, and the calendar is not valid.
    """
    due = run.due_at or run.created_at
    return next_due(run.report, due) or due + DAY


def _next_time(at: time, since: datetime, timezone: str) -> datetime:
    """Return the first instant since another one at which clocks show a time of day."""
    zone = ZoneInfo(timezone)
    day = since.astimezone(zone).date()
    first = instant_of(datetime.combine(day, at, zone))
    return first if first >= since else instant_of(datetime.combine(day + DAY, at, zone))
