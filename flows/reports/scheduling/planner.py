"""Plan the runs of a schedule: those of the last period and of missed ones, and what has to wait.

Reads the definitions, and the histories of dbt and of the views to find out whether the data has arrived;
writes runs. Safe to repeat: there is one run per report and period.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from pydantic import ValidationError
from sqlalchemy import RowMapping

from analytics_worker.database.connections import run_sql, warehouse
from flows.reports.definitions.model import After, Report
from flows.reports.runs.failures import fail_run
from flows.reports.runs.requests import run_request
from flows.reports.runs.store import RunStore, open_run_store
from flows.reports.scheduling.periods import Period, ScheduleType, last_period, missed_periods

POLL_INTERVAL = timedelta(minutes=5)


@dataclass
class ReportPlan:
    """The runs that a schedule has to generate, and the reports that it can't."""

    runs: list[int] = field(default_factory=list[int])
    waiting: dict[str, str] = field(default_factory=dict[str, str])
    """Reports whose data has not arrived yet, and what is missing."""
    poll_times: list[datetime] = field(default_factory=list[datetime])
    """When to check for that data again."""
    timed_out: list[int] = field(default_factory=list[int])
    """Runs that failed because their data did not arrive in time."""
    invalid: dict[str, str] = field(default_factory=dict[str, str])
    """Reports whose stored definition is not valid, and why."""


def plan_runs(schedule: ScheduleType, due: datetime) -> ReportPlan:
    """Request every run that is due at a time, the oldest period first."""
    plan = ReportPlan()
    with open_run_store() as store:
        store.requeue_failed(schedule)
        for row in store.due_definitions(schedule):
            try:
                report = Report.model_validate_json(row["definition"])
            except ValidationError as error:
                plan.invalid[row["name"]] = _invalid_text(error)
                continue
            _request_periods(store, plan, report, row, schedule, due)
        plan.runs = sorted({*plan.runs, *store.unfinished_run_ids()} - set(plan.timed_out))
    return plan


def _invalid_text(error: ValidationError) -> str:
    first = error.errors()[0]
    path = ".".join(map(str, first["loc"]))
    return f"the stored definition is out of date, run `reports sync` ({path}: {first['msg']})"


def _request_periods(
    store: RunStore,
    plan: ReportPlan,
    report: Report,
    row: RowMapping,
    schedule: ScheduleType,
    due: datetime,
) -> None:
    """Request the periods of one report in order, until one has to wait."""
    for period in _periods(report, row, schedule, due):
        missing = _missing_data(report.after, period) if report.after else []
        deadline = _deadline(report, report.after, period, due) if report.after else due
        if missing and datetime.now(UTC) < deadline:
            plan.waiting[report.name] = f"{_missing_text(missing)} (until {deadline:%H:%M} UTC)"
            plan.poll_times.append(min(datetime.now(UTC) + POLL_INTERVAL, deadline))
            return
        _request_period(store, plan, report, period, missing)


def _request_period(
    store: RunStore, plan: ReportPlan, report: Report, period: Period, missing: Sequence[str]
) -> None:
    reason = f"The data may be old: {_missing_text(missing)}." if missing else None
    request = run_request(report, report.name, "scheduled", period, reason=reason)
    (requested,) = store.request_runs([request])
    plan.runs.append(requested.id)
    is_pending = requested.status == "pending"
    if missing and report.after and report.after.otherwise == "tell" and is_pending:
        plan.timed_out.append(requested.id)
        error = f"not generated: {_missing_text(missing)}"
        fail_run(store, store.read(requested.id), error, final=True)
    store.mark_scheduled_until(report.name, period.end)


def _periods(
    report: Report, row: RowMapping, schedule: ScheduleType, due: datetime
) -> list[Period]:
    missed = missed_periods(
        schedule, due, report.timezone, since=row["since"], limit=report.catch_up
    )
    return [*missed, last_period(schedule, due, report.timezone)]


def _missing_data(after: After, period: Period) -> list[str]:
    """Return what the report waits for and has not happened since its period ended."""
    with warehouse() as connection:
        (row,) = run_sql(connection, "reports/freshness", since=period.end, views=after.views)
    missing = [f"no refresh of {view}" for view in row["stale_views"]]
    return [*(["no dbt run"] if after.dbt and not row["dbt"] else []), *missing]


def _missing_text(missing: Sequence[str]) -> str:
    return f"there was {' and '.join(missing)} since the period ended"


def _deadline(report: Report, after: After, period: Period, due: datetime) -> datetime:
    """Return until when a report waits on the day it is due; missed periods don't wait."""
    if period != last_period(period.kind, due, report.timezone):
        return due
    local = due.astimezone(ZoneInfo(report.timezone))
    latest = local.replace(hour=after.latest.hour, minute=after.latest.minute, second=0)
    return latest.astimezone(UTC)
