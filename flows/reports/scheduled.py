"""Generate and deliver the reports of definitions/reports.yml that are due by one of three schedules.

Reads the stored definitions and what their SQL reads; writes runs, files and messages. Safe to repeat:
a report is generated once per period, and each of its recipients gets one message. Missed periods are
caught up, and the runs of killed workers are finished.
"""

from datetime import datetime

from analytics_worker.calendars.schedules import ScheduleType
from analytics_worker.errors import PermanentError
from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.retries import SCHEDULED_REPORTS
from analytics_worker.prefect_support.task import task
from flows.reports._planned import PlannedReports, generate_planned
from flows.reports._run_names import outcome, scheduled_name
from flows.reports.runs.delivery import send_reports
from flows.reports.runs.requests import scheduled_time
from flows.reports.scheduling.periods import SCHEDULE_TYPES
from flows.reports.scheduling.plan import ReportPlan
from flows.reports.scheduling.planner import plan_runs
from flows.reports.scheduling.rescheduling import reschedule
from flows.reports.tasks import generate_run

generate_report = task(**SCHEDULED_REPORTS, name="generate report")(generate_run)
deliver_reports = task(**SCHEDULED_REPORTS, name="deliver reports")(send_reports)


class ScheduledReports(PlannedReports):
    """Result of `generate_scheduled_reports`."""

    schedule_type: str


@task(**SCHEDULED_REPORTS, name="plan reports")
def plan_reports(schedule_type: ScheduleType, due: datetime) -> ReportPlan:
    """Request a run for each report and period that is due."""
    return plan_runs(schedule_type, due)


@flow(timeout_seconds=2 * 3600, run_name=scheduled_name, outcome=outcome)
def generate_scheduled_reports(schedule_type: str = "daily") -> ScheduledReports:
    """Generate the reports of a schedule for the last day, week or month, and send them.

    A report that fails does not affect the others: the run ends as Partial, and its owner is notified.

    Args:
        schedule_type: daily, weekly or monthly.
    """
    due = scheduled_time()
    plan = plan_reports(_checked_type(schedule_type), due)
    result = generate_planned(plan, generate_report, deliver_reports)
    result["message"] += reschedule(plan.poll_times, due)
    return ScheduledReports(**result, schedule_type=schedule_type)


def _checked_type(schedule_type: str) -> ScheduleType:
    for schedule in SCHEDULE_TYPES:
        if schedule_type == schedule:
            return schedule
    raise PermanentError(
        f"schedule_type {schedule_type!r} is not valid; expected {', '.join(SCHEDULE_TYPES)}"
    )
