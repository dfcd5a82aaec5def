"""Make and send the reports of definitions/reports.yml that are due.

Reads the stored definitions and whatever their SQL reads; writes runs, files and messages. Repeating is
safe: a report is made once per period, and each of its recipients gets one message. A period that was
missed is caught up, and what a killed run left is finished.
"""

from datetime import datetime
from typing import Any

from analytics_worker.errors import PermanentError
from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.results import FlowResult, Status, flow_result
from analytics_worker.prefect_support.retries import SCHEDULED_REPORTS
from analytics_worker.prefect_support.task import task
from flows.reports.output.generator import Made
from flows.reports.output.ui_artifacts import show_all
from flows.reports.runs.delivery import Delivery, described_delivery, send_reports
from flows.reports.runs.requests import as_of
from flows.reports.scheduling.periods import SCHEDULE_TYPES, ScheduleType
from flows.reports.scheduling.planner import Plan, plan
from flows.reports.scheduling.rescheduling import run_again
from flows.reports.tasks import described, make_all, make_run, status

make_report = task(**SCHEDULED_REPORTS, name="make report")(make_run)
deliver_reports = task(**SCHEDULED_REPORTS, name="deliver reports")(send_reports)
MOST_NAMED = 5


class ScheduledReports(FlowResult):
    """What `generate_scheduled_reports` reports."""

    schedule_type: str
    summary: dict[str, int]
    """Reports made, skipped, waiting for their data, failed."""
    reports: list[Made]
    waiting: dict[str, str]
    delivery: Delivery


@task(**SCHEDULED_REPORTS, name="plan reports")
def plan_reports(schedule_type: ScheduleType, due: datetime) -> Plan:
    """Ask for each report and period that has to be made."""
    return plan(schedule_type, due)


@flow(timeout_seconds=2 * 3600)
def generate_scheduled_reports(schedule_type: str = "daily") -> ScheduledReports:
    """Make the reports of a schedule for the last day, week or month, and send them.

    A report that fails harms no other: the run ends as Partial, and its owner is notified.

    Args:
        schedule_type: daily, weekly or monthly.
    """
    due = as_of()
    planned = plan_reports(_known(schedule_type), due)
    made = make_all(make_report, planned.runs)
    delivery = deliver_reports([*(each["run"] for each in made), *planned.late])
    show_all(made)
    summary = _summary(made, planned)
    again = run_again(planned.look_again, due)
    common = flow_result(
        _status(made, planned, delivery), _sentence(made, planned, delivery) + again
    )
    return ScheduledReports(
        **common,
        schedule_type=schedule_type,
        summary=summary,
        reports=made,
        waiting=planned.waiting,
        delivery=delivery,
    )


def _known(schedule_type: str) -> Any:
    if schedule_type not in SCHEDULE_TYPES:
        raise PermanentError(
            f"schedule_type {schedule_type!r} is unknown; there are {', '.join(SCHEDULE_TYPES)}"
        )
    return schedule_type


def _summary(made: list[Made], planned: Plan) -> dict[str, int]:
    states = [each["status"] for each in made]
    return {
        "made": states.count("ready"),
        "skipped": states.count("skipped"),
        "waiting": len(planned.waiting),
        "failed": states.count("failed") + len(planned.late) + len(planned.broken),
    }


def _status(made: list[Made], planned: Plan, delivery: Delivery) -> Status:
    """Also not green if a report was not even started."""
    if not planned.late and not planned.broken:
        return status(made, delivery)
    return "partial" if any(each["status"] != "failed" for each in made) else "failed"


def _sentence(made: list[Made], planned: Plan, delivery: Delivery) -> str:
    """The run in one line, with what went wrong."""
    summary = _summary(made, planned)
    count = summary["made"]
    parts = [f"{count} report{'' if count == 1 else 's'} made"]
    parts += [
        f"{summary[name]} {name}" for name in ("skipped", "waiting", "failed") if summary[name]
    ]
    failed = [described(each) for each in made if each["status"] == "failed"]
    failed += [f"{name}: {reason}" for name, reason in planned.broken.items()]
    shown = f" ({'; '.join(failed[:MOST_NAMED])})" if failed else ""
    return f"{', '.join(parts)}{shown}; {described_delivery(delivery)}"
