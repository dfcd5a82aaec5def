"""Which report runs there have to be: as of when, about which period.

Reads the flow run that asks; writes nothing.
"""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from prefect.context import FlowRunContext

from flows.reports.definitions.model import Report
from flows.reports.runs.store import flow_run_id
from flows.reports.scheduling.periods import Period, ScheduleType, last_period
from flows.reports.scheduling.rescheduling import origin


def as_of() -> datetime:
    """When the schedule was due that started this flow run, however late that is; or now."""
    first = origin()
    if first is not None:
        return first.due
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run and run.auto_scheduled and run.expected_start_time:
        return run.expected_start_time
    return datetime.now(UTC)


def request_id() -> str:
    """The same for all flow runs that see to one request."""
    first = origin()
    return first.flow_run_id if first else flow_run_id() or str(uuid4())


def kind_of(report: Report) -> ScheduleType:
    """The kind of its period; a day, if it has no schedule."""
    return report.schedule if report.schedule != "manual" else "daily"


def period_of(report: Report, at: datetime) -> Period:
    """The period that a report is about as of a time."""
    return last_period(kind_of(report), at, report.timezone)


def wanted(
    report: Report, name: str, kind: str, about: Period | None, **fields: object
) -> dict[str, Any]:
    """A run, as the ledger is asked for it; `fields` are others than those of most runs."""
    period: dict[str, Any] = {}
    if about is not None:
        period = {
            "period": about.label,
            "period_start": about.start,
            "period_end": about.end,
        }
    return {
        "report": name,
        "kind": kind,
        "key": "",
        "definition": json.loads(report.stored()),
        "row_values": {},
        "reason": None,
        **period,
        **fields,
    }
