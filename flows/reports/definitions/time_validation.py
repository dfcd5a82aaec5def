"""Check how the fields combine that say when a report is due; each problem names its field.

Reads definitions/calendar.yml if the report is due on working days; writes nothing.
"""

from collections.abc import Iterator

from analytics_worker.calendars.time_problems import combination_problems, due_problems
from analytics_worker.database.user_sql_checks import Problem
from flows.reports.definitions.model import Report
from flows.reports.scheduling.report_times import due_times


def time_problems(report: Report) -> Iterator[Problem]:
    """Yield every problem in when the report is due."""
    problems = [*combination_problems(report), *_schedule_problems(report)]
    yield from problems or due_problems(report, "report", lambda: due_times(report))


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
