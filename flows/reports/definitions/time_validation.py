"""Check how the fields combine that say when a report is due; each problem names its field.

Reads definitions/calendar.yml if the report is due on working days; writes nothing.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from analytics_worker.calendars.due_times import parse_cron
from analytics_worker.calendars.weekdays import WORKING
from analytics_worker.database.user_sql_checks import Problem
from analytics_worker.definitions.yaml_definitions import DefinitionError
from flows.reports.definitions.model import Report
from flows.reports.scheduling.report_times import due_times


def time_problems(report: Report) -> Iterator[Problem]:
    """Yield every problem in when the report is due."""
    problems = list(_combination_problems(report))
    yield from problems or _due_problems(report)


def _combination_problems(report: Report) -> Iterator[Problem]:
    if not report.has_own_times:
        for field in ("weekdays", "period"):
            if getattr(report, field) is not None:
                yield field, f"{field} needs a time; expected at or cron, too"
        return
    if report.cron:
        yield from _cron_problems(report, report.cron)
    is_monthly = report.schedule == "monthly"
    if is_monthly and report.weekdays not in (None, "first_working", "last_working"):
        yield "weekdays", "a monthly report is due once; expected first_working or last_working"


def _cron_problems(report: Report, cron: str) -> Iterator[Problem]:
    if report.at:
        yield "at", "cron and at exclude each other; expected one of them"
    if report.schedule != "manual":
        text = "schedule and cron exclude each other; expected period: day, week or month"
        yield "schedule", f"{text} in place of schedule"
    parts = parse_cron(cron).parts
    if report.weekdays is not None and (parts[3], parts[5]) != ("*", "*"):
        yield (
            "weekdays",
            f"cron {cron!r} names days, too; expected * in their place, or no weekdays",
        )


def _due_problems(report: Report) -> Iterator[Problem]:
    try:
        times = due_times(report)
    except DefinitionError as error:
        yield "weekdays", f"the calendar is not valid: {error.problems[0]}"
        return
    if times and next(times.after(datetime.now(UTC)), None) is None:
        field = "cron" if report.cron else "weekdays"
        hint = "; see definitions/calendar.yml" if report.weekdays in WORKING else ""
        yield field, f"the report is never due{hint}"
