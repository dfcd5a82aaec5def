"""Find out whether the data that a report waits for has arrived since its period ended.

Reads the histories of dbt and of the views; writes nothing.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from analytics_worker.database.connections import run_sql, warehouse
from flows.reports.definitions.model import After, Report
from flows.reports.scheduling.report_periods import ReportPeriod


def missing_data(after: After, period: ReportPeriod) -> list[str]:
    """Return what the report waits for and has not happened since its period ended."""
    with warehouse() as connection:
        (row,) = run_sql(connection, "reports/freshness", since=period.end, views=after.views)
    missing = [f"no refresh of {view}" for view in row["stale_views"]]
    return [*(["no dbt run"] if after.dbt and not row["dbt"] else []), *missing]


def missing_text(missing: Sequence[str]) -> str:
    """Return what is missing as part of a sentence."""
    return f"there was {' and '.join(missing)} since the period ended"


def deadline(report: Report, due: datetime) -> datetime:
    """Return until when a report waits on the day it is due; at once if it waits for nothing."""
    if report.after is None:
        return due
    local = due.astimezone(ZoneInfo(report.timezone))
    latest = report.after.latest
    return local.replace(hour=latest.hour, minute=latest.minute, second=0).astimezone(UTC)
