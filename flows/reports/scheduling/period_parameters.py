"""The parameters that the SQL of every report may use by name: its period, constants and `for_each` row.

Reads nothing, writes nothing.
"""

from typing import Any

from flows.reports.runs.model import ReportRun
from flows.reports.scheduling.report_periods import ReportPeriod

PERIOD_PARAMETERS = {"period_start", "period_end"}
"""Parameters of every report: the start and the exclusive end of its period."""


def sql_parameters(run: ReportRun, period: ReportPeriod | None = None) -> dict[str, Any]:
    """Return the values that the SQL may use by name; for another period if one is given."""
    constants = {name: each.driver_value for name, each in run.report.parameters.items()}
    start, end = (period.start, period.end) if period else (run.start, run.end)
    return {**constants, **run.row, "period_start": start, "period_end": end}
