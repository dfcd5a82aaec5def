"""A report run: one report for one period and key, and the labels and values that follow from it.

Reads nothing, writes nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping

from analytics_worker.errors import PermanentError
from flows.reports.definitions.model import Report
from flows.reports.scheduling.periods import Period, named_period

MAX_SLUG_LENGTH = 60


@dataclass(frozen=True)
class ReportRun:
    """A row of ``ops.report_runs``; this worker generates its report, if it has claimed it."""

    id: int
    name: str
    kind: str
    period: str
    key: str
    report: Report
    row: Mapping[str, Any]
    """The row of ``for_each`` that the report is generated for; empty without ``for_each``."""
    start: datetime
    end: datetime
    reason: str | None
    attempts: int
    created_at: datetime


def run_from_row(row: RowMapping) -> ReportRun:
    """Return the run of a database row."""
    return ReportRun(
        id=row["id"],
        name=row["report"],
        kind=row["kind"],
        period=row["period"],
        key=row["key"],
        report=Report.model_validate_json(row["definition"]),
        row=row["row_values"],
        start=row["period_start"],
        end=row["period_end"],
        reason=row["reason"],
        attempts=row["attempts"],
        created_at=row["created_at"],
    )


def run_period(run: ReportRun) -> Period | None:
    """Return the period that a run covers; None if it was requested without one."""
    kind = run.report.schedule if run.report.schedule != "manual" else "daily"
    try:
        return named_period(run.period, kind, run.report.timezone)
    except PermanentError:
        return None


def period_label(run: ReportRun) -> str:
    """Return the label of a run's period, or the day of the request if it has no period."""
    period = run_period(run)
    return period.label if period else f"{run.created_at:%Y-%m-%d}"


def slugify(text: str) -> str:
    """Return a text as part of a file name: lower-case letters, digits and single hyphens."""
    slug = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:MAX_SLUG_LENGTH].strip("-")
    return slug or "report"
