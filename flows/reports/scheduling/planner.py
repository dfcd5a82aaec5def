"""Plan runs: those of the last period and of missed ones, and what has to wait.

Reads the definitions, and the histories of dbt and of the views to find out whether the data has arrived;
writes runs. Safe to repeat: there is one run per report and period.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import RowMapping

from analytics_worker.calendars.schedules import ScheduleType, period_kind
from flows.reports.definitions.model import Report
from flows.reports.gate.follow_ups import plan_follow_ups
from flows.reports.gate.held_runs import plan_held
from flows.reports.runs.failures import fail_run
from flows.reports.runs.requests import run_request
from flows.reports.runs.store import RunStore, open_run_store
from flows.reports.scheduling.data_arrival import deadline, missing_data, missing_text
from flows.reports.scheduling.periods import last_period, missed_periods
from flows.reports.scheduling.plan import POLL_INTERVAL, ReportPlan, stored_reports
from flows.reports.scheduling.report_periods import (
    ReportPeriod,
    interval_until,
    last_report_period,
)
from flows.reports.scheduling.report_times import due_times


def plan_runs(schedule: ScheduleType, due: datetime) -> ReportPlan:
    """Request every run of a schedule that is due at a time, the oldest period first."""
    plan = ReportPlan()
    with open_run_store() as store:
        rows = store.due_definitions(schedule)
        store.requeue_failed([row["name"] for row in rows])
        for report, row in stored_reports(rows, plan):
            with plan.recording_errors_of(report.name):
                periods = _periods(report, row, schedule, due)
                _request_periods(store, plan, report, periods, due)
        plan.runs = sorted({*plan.runs, *store.unfinished_run_ids()} - set(plan.timed_out))
    return plan


def plan_due_runs(now: datetime) -> ReportPlan:
    """Request every run of the reports that became due at their own times since the last time.

    Held runs of any report are in the plan, too, if they are not held any longer; and a follow-up of each run
    whose held parts need not be held any longer.
    """
    plan = ReportPlan()
    with open_run_store() as store:
        rows = store.own_time_definitions()
        for report, row in stored_reports(rows, plan):
            with plan.recording_errors_of(report.name):
                _plan_due(store, plan, report, row, now)
        plan_held(store, plan, now)
        plan_follow_ups(store, plan, now)
        unfinished = store.unfinished_run_ids([row["name"] for row in rows])
        plan.runs = sorted({*plan.runs, *unfinished} - set(plan.timed_out))
    return plan


def _plan_due(
    store: RunStore, plan: ReportPlan, report: Report, row: RowMapping, now: datetime
) -> None:
    times = due_times(report)
    dues = times.latest(row["due_since"], now, report.catch_up + 1) if times else []
    if not dues:
        return
    store.requeue_failed([report.name])
    periods = list(
        {each.label: each for each in (_period_at(report, due) for due in dues)}.values()
    )
    missed = [period for period in periods[:-1] if period.end > row["since"]]
    if _request_periods(store, plan, report, [*missed, periods[-1]], dues[-1]):
        store.mark_due_until(report.name, dues[-1])


def _period_at(report: Report, due: datetime) -> ReportPeriod:
    """Return the period that a report covers when it is due."""
    is_interval = period_kind(report) is None
    return interval_until(report, due) if is_interval else last_report_period(report, due)


def _request_periods(
    store: RunStore,
    plan: ReportPlan,
    report: Report,
    periods: Sequence[ReportPeriod],
    due: datetime,
) -> bool:
    """Request the periods of one report in order, until one has to wait; return whether none has."""
    for period in periods:
        missing = missing_data(report, report.after, period) if report.after else []
        until = deadline(report, due) if report.after and period == periods[-1] else due
        if missing and datetime.now(UTC) < until:
            plan.waiting[report.name] = f"{missing_text(missing)} (until {until:%H:%M} UTC)"
            plan.poll_times.append(min(datetime.now(UTC) + POLL_INTERVAL, until))
            return False
        _request_period(store, plan, report, period, missing, due)
    return True


def _request_period(
    store: RunStore,
    plan: ReportPlan,
    report: Report,
    period: ReportPeriod,
    missing: Sequence[str],
    due: datetime,
) -> None:
    reason = f"The data may be old: {missing_text(missing)}." if missing else None
    request = run_request(report, report.name, "scheduled", period, reason=reason, due_at=due)
    (requested,) = store.request_runs([request])
    plan.runs.append(requested.id)
    is_pending = requested.status == "pending"
    if missing and report.after and report.after.otherwise == "tell" and is_pending:
        plan.timed_out.append(requested.id)
        error = f"not generated: {missing_text(missing)}"
        fail_run(store, store.read(requested.id), error, final=True)
    store.mark_scheduled_until(report.name, period.end)


def _periods(
    report: Report, row: RowMapping, schedule: ScheduleType, due: datetime
) -> list[ReportPeriod]:
    missed = missed_periods(
        schedule, due, report.timezone, since=row["since"], limit=report.catch_up
    )
    return [*missed, last_period(schedule, due, report.timezone)]
