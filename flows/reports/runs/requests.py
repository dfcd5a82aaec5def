"""Requests for report runs: the scheduled time, the period, and the row to insert.

Reads the current flow run; writes nothing.
"""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from prefect.context import FlowRunContext

from analytics_worker.prefect_support.request_origin import request_origin
from flows.reports.definitions.model import Report
from flows.reports.runs.store import current_flow_run_id
from flows.reports.scheduling.report_periods import ReportPeriod


def scheduled_time() -> datetime:
    """Return when the schedule of the current flow run was due, however late it starts; or now."""
    origin = request_origin()
    if origin is not None:
        return origin.due
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run and run.auto_scheduled and run.expected_start_time:
        return run.expected_start_time
    return datetime.now(UTC)


def request_id() -> str:
    """Return an id that all flow runs of one request share."""
    origin = request_origin()
    return origin.flow_run_id if origin else current_flow_run_id() or str(uuid4())


def run_request(
    report: Report, name: str, kind: str, period: ReportPeriod | None, /, **fields: object
) -> dict[str, Any]:
    """Return the row of a run to request; `fields` override the defaults."""
    period_fields: dict[str, Any] = {}
    if period is not None:
        period_fields = {
            "period": period.label,
            "period_start": period.start,
            "period_end": period.end,
        }
    return {
        "report": name,
        "kind": kind,
        "key": "",
        "definition": json.loads(report.to_json()),
        "row_values": {},
        "reason": None,
        "due_at": None,
        "held_since": None,
        "unmet": [],
        **period_fields,
        **fields,
    }
