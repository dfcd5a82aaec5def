"""Generate and deliver the reports of definitions/reports.yml that are due.

Reads the stored definitions and what their SQL reads; writes runs, files and messages. Safe to repeat:
a report is generated once per period, and each of its recipients gets one message. Missed periods are
caught up, and the runs of killed workers are finished.
"""

from datetime import datetime

from analytics_worker.errors import PermanentError
from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.results import FlowResult, Status, flow_result
from analytics_worker.prefect_support.retries import SCHEDULED_REPORTS
from analytics_worker.prefect_support.task import task
from flows.reports.output.generator import ReportRunResult
from flows.reports.output.ui_artifacts import publish_summary_table
from flows.reports.runs.delivery import DeliverySummary, describe_delivery, send_reports
from flows.reports.runs.requests import scheduled_time
from flows.reports.scheduling.periods import SCHEDULE_TYPES, ScheduleType
from flows.reports.scheduling.planner import ReportPlan, plan_runs
from flows.reports.scheduling.rescheduling import reschedule
from flows.reports.tasks import (
    MAX_NAMED_REPORTS,
    combined_status,
    describe_result,
    generate_all,
    generate_run,
)

generate_report = task(**SCHEDULED_REPORTS, name="generate report")(generate_run)
deliver_reports = task(**SCHEDULED_REPORTS, name="deliver reports")(send_reports)


class ScheduledReports(FlowResult):
    """Result of `generate_scheduled_reports`."""

    schedule_type: str
    summary: dict[str, int]
    """Number of reports generated (``made``), skipped, waiting for their data, and failed."""
    reports: list[ReportRunResult]
    waiting: dict[str, str]
    delivery: DeliverySummary


@task(**SCHEDULED_REPORTS, name="plan reports")
def plan_reports(schedule_type: ScheduleType, due: datetime) -> ReportPlan:
    """Request a run for each report and period that is due."""
    return plan_runs(schedule_type, due)


@flow(timeout_seconds=2 * 3600)
def generate_scheduled_reports(schedule_type: str = "daily") -> ScheduledReports:
    """Generate the reports of a schedule for the last day, week or month, and send them.

    A report that fails does not affect the others: the run ends as Partial, and its owner is notified.

    Args:
        schedule_type: daily, weekly or monthly.
    """
    due = scheduled_time()
    plan = plan_reports(_checked_type(schedule_type), due)
    results = generate_all(generate_report, plan.runs)
    delivery = deliver_reports([*(result["run"] for result in results), *plan.timed_out])
    publish_summary_table(results)
    summary = _summary(results, plan)
    message = _message(results, plan, delivery) + reschedule(plan.poll_times, due)
    return ScheduledReports(
        **flow_result(_status(results, plan, delivery), message),
        schedule_type=schedule_type,
        summary=summary,
        reports=results,
        waiting=plan.waiting,
        delivery=delivery,
    )


def _checked_type(schedule_type: str) -> ScheduleType:
    for schedule in SCHEDULE_TYPES:
        if schedule_type == schedule:
            return schedule
    raise PermanentError(
        f"schedule_type {schedule_type!r} is not valid; expected {', '.join(SCHEDULE_TYPES)}"
    )


def _summary(results: list[ReportRunResult], plan: ReportPlan) -> dict[str, int]:
    statuses = [result["status"] for result in results]
    return {
        "made": statuses.count("ready"),
        "skipped": statuses.count("skipped"),
        "waiting": len(plan.waiting),
        "failed": statuses.count("failed") + len(plan.timed_out) + len(plan.invalid),
    }


def _status(results: list[ReportRunResult], plan: ReportPlan, delivery: DeliverySummary) -> Status:
    """Return the combined status; a report that could not even start counts as failed."""
    if not plan.timed_out and not plan.invalid:
        return combined_status(results, delivery)
    return "partial" if any(result["status"] != "failed" for result in results) else "failed"


def _message(results: list[ReportRunResult], plan: ReportPlan, delivery: DeliverySummary) -> str:
    """Describe the run in one line, with the reasons of failures."""
    summary = _summary(results, plan)
    count = summary["made"]
    parts = [f"{count} report{'' if count == 1 else 's'} generated"]
    parts += [
        f"{summary[name]} {name}" for name in ("skipped", "waiting", "failed") if summary[name]
    ]
    failures = [describe_result(result) for result in results if result["status"] == "failed"]
    failures += [f"{name}: {reason}" for name, reason in plan.invalid.items()]
    details = f" ({'; '.join(failures[:MAX_NAMED_REPORTS])})" if failures else ""
    return f"{', '.join(parts)}{details}; {describe_delivery(delivery)}"
