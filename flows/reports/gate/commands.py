"""List the held reports.

Reads ops.report_runs; writes nothing.
"""

from datetime import datetime
from typing import Any, TypedDict

from pydantic import ValidationError
from sqlalchemy import RowMapping

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.errors import PermanentError
from flows.reports.gate.hold_time import hold_until
from flows.reports.runs.model import run_from_row


class HeldReport(TypedDict):
    """A report that is held."""

    run: int
    report: str
    key: str
    period: str
    since: datetime
    until: datetime | None
    """When it is sent unverified, or not at all; None if its definition or the calendar is not valid."""
    then: str
    """``sent unverified`` or ``not sent``."""
    because: list[str]


def held_reports() -> list[HeldReport]:
    """Return the held reports, the oldest first."""
    with warehouse() as connection:
        return [_held_report(row) for row in run_sql(connection, "reports/held_runs")]


def _held_report(row: RowMapping) -> HeldReport:
    until, then = _end(row)
    fields: dict[str, Any] = {name: row[name] for name in ("report", "key", "period")}
    return HeldReport(
        run=row["id"],
        **fields,
        since=row["held_since"],
        until=until,
        then=then,
        because=row["unmet"],
    )


def _end(row: RowMapping) -> tuple[datetime | None, str]:
    """Return until when a run is held, and what happens then."""
    try:
        run = run_from_row(row)
        has_latest = run.report.requires and run.report.requires.latest
        return hold_until(run), "sent unverified" if has_latest else "not sent"
    except (PermanentError, ValidationError):
        return None, ""
