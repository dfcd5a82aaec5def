"""Generate and deliver the reports that are due at times of their own: by ``cron`` or ``at``.

Reads the stored definitions, definitions/calendar.yml and what their SQL reads; writes runs, files, messages and
how sent reports compare with now. Safe to repeat: a report is generated once per period, and each of its recipients
gets one message. Missed times are caught up.
"""

from datetime import UTC, datetime
from functools import partial

from prefect import get_run_logger
from sqlalchemy.exc import SQLAlchemyError

from analytics_worker.circuit_breaker import CircuitOpenError
from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.retries import HISTORY, SCHEDULED_REPORTS
from analytics_worker.prefect_support.task import task
from flows.reports._planned import PlannedReports, generate_planned
from flows.reports._run_names import outcome
from flows.reports.restatement.check import check_restatements
from flows.reports.runs.delivery import send_reports
from flows.reports.scheduling.plan import ReportPlan
from flows.reports.scheduling.planner import plan_due_runs
from flows.reports.scheduling.reads import record_reads
from flows.reports.tasks import generate_run

generate_report = task(**SCHEDULED_REPORTS, name="generate report")(generate_run)
record_report_reads = task(**HISTORY, name="record what reports read")(record_reads)
deliver_reports = task(**SCHEDULED_REPORTS, name="deliver reports")(send_reports)
compare_sent_reports = task(**HISTORY, name="compare sent reports")(check_restatements)


@task(**SCHEDULED_REPORTS, name="plan due reports")
def plan_due_reports(now: datetime) -> ReportPlan:
    """Request a run for each report that became due since the last time."""
    return plan_due_runs(now)


@flow(timeout_seconds=2 * 3600, run_name="reports due", outcome=outcome)
def generate_due_reports() -> PlannedReports:
    """Generate the reports that are due at times of their own, and send them.

    A report that fails does not affect the others: the run ends as Partial, and its owner is notified.
    Reports that become due while others take long are generated, too. Afterwards, what was sent is compared with
    what its SQL returns now, where the data changed.
    """
    plan = plan_due_reports(datetime.now(UTC))
    record_report_reads(return_state=True)  # reports do not fail with it
    result = generate_planned(plan, generate_report, deliver_reports, partial(_newly_due, plan))
    compare_sent_reports(return_state=True)  # nor do they wait for it
    return result


def _newly_due(plan: ReportPlan) -> list[int]:
    """Return the runs that became due since the plan; none while the database is unavailable."""
    try:
        later = plan_due_runs(datetime.now(UTC))
    except (CircuitOpenError, SQLAlchemyError) as error:
        get_run_logger().warning("could not plan due reports: %s", type(error).__name__)
        return []
    plan.extend(later)
    return later.runs
