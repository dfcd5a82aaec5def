"""Refuse periods that are not over, or request them as preliminary.

Reads nothing, writes nothing. A preliminary run has a period of its own, so the report of the whole period
is generated when it is due.
"""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from analytics_worker.errors import PermanentError
from flows.reports.definitions.model import Report
from flows.reports.runs.model import PRELIMINARY, SO_FAR
from flows.reports.runs.requests import run_request
from flows.reports.scheduling.report_periods import ReportPeriod, last_report_period


def manual_request(
    report: Report, period: ReportPeriod, now: datetime, *, so_far: bool
) -> dict[str, Any]:
    """Return the row of a run that a person requests.

    Raises:
        PermanentError: the period has not begun, or it is not over and not requested so far.
    """
    if period.end <= now:
        return run_request(report, report.name, "scheduled", period)
    if period.start > now:
        raise PermanentError(f"{period.label} has not begun; {_expected(report, now)}")
    if not so_far:
        end = period.end.astimezone(ZoneInfo(report.timezone))
        raise PermanentError(
            f"{period.label} ends at {end:%Y-%m-%d %H:%M %Z}; {_expected(report, now)},"
            " or --so-far for a preliminary report"
        )
    fields = {"period": f"{period.label}{SO_FAR}{now.isoformat()}", "reason": _reason(report, now)}
    return run_request(report, report.name, PRELIMINARY, period, **fields)


def _expected(report: Report, now: datetime) -> str:
    return f"expected {last_report_period(report, now).label} or an earlier period"


def _reason(report: Report, now: datetime) -> str:
    local = now.astimezone(ZoneInfo(report.timezone))
    return (
        f"Preliminary: the period was not over at {local:%Y-%m-%d %H:%M %Z}."
        " The report of the whole period follows."
    )
