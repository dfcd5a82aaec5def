"""Check how the fields combine that say when a report is due; each problem names its field.

Reads definitions/calendar.yml if the report is due on working days; writes nothing.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from analytics_worker.calendars.promise import Promise
from analytics_worker.calendars.schedules import due_within_a_day, schedule_times
from analytics_worker.calendars.time_problems import combination_problems, due_problems
from analytics_worker.database.user_sql_checks import Problem
from analytics_worker.definitions.yaml_definitions import DefinitionError
from flows.reports.definitions.model import Report
from flows.reports.scheduling.report_times import due_times

CHECKED_DUE_TIMES = 20
_INSTANT = timedelta(microseconds=1)


def time_problems(report: Report) -> Iterator[Problem]:
    """Yield every problem in when the report is due."""
    problems = [*combination_problems(report), *_schedule_problems(report)]
    problems = problems or [*due_problems(report, "report", lambda: due_times(report))]
    yield from problems or (_promise_problems(report, report.promise) if report.promise else ())


def _schedule_problems(report: Report) -> Iterator[Problem]:
    if not report.has_own_times:
        if report.period is not None:
            yield "period", "period needs a time; expected at or cron, too"
        return
    if report.cron and report.schedule != "manual":
        text = "schedule and cron exclude each other; expected period: day, week or month"
        yield "schedule", f"{text} in place of schedule"
    is_monthly = report.schedule == "monthly"
    if is_monthly and report.weekdays not in (None, "first_working", "last_working"):
        yield "weekdays", "a monthly report is due once; expected first_working or last_working"


def _promise_problems(report: Report, promise: Promise) -> Iterator[Problem]:
    try:
        times, promised = schedule_times(report), promise.due_times(report.timezone)
        dues = list(islice(times.after(datetime.now(UTC)), CHECKED_DUE_TIMES)) if times else []
        ends = (next(promised.after(due - _INSTANT), None) for due in dues)
        has_any = any(end and due_within_a_day(report, end, promised.timezone) for end in ends)
    except DefinitionError as error:
        yield "promise", f"the calendar is not valid: {error.problems[0]}"
        return
    if times is None:
        yield (
            "promise",
            "promise needs a time at which the report is due; expected schedule, at or cron, too",
        )
    elif not has_any:
        text = f"the report is never due within a day before {promise.by:%H:%M} on its weekdays"
        yield "promise", f"{text}; correct by or weekdays of the promise"
