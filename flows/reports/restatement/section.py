"""What the next report shows of the restatement of earlier ones.

Reads ops.report_comparisons; writes nothing.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import Connection, RowMapping

from analytics_worker.database.connections import run_sql
from flows.reports.formats import Restated
from flows.reports.restatement.message import period_text
from flows.reports.restatement.store import changes_of_json
from flows.reports.restatement.texts import change_text
from flows.reports.runs.model import ReportRun

MAX_PERIODS = 12
MAX_CHANGES = 20


class RestatedSection(NamedTuple):
    """The periods that a report shows as restated, and the runs that sent them."""

    periods: Sequence[Restated]
    run_ids: Sequence[int]


def restated_section(connection: Connection, run: ReportRun) -> RestatedSection:
    """Return what is different in earlier runs of the same report and key, and not shown by one yet."""
    parameters = {"report": run.name, "key": run.key, "id": run.id}
    rows = run_sql(connection, "reports/restated_runs", **parameters)
    periods = [_restated(run, row) for row in rows[-MAX_PERIODS:]]
    return RestatedSection(periods, [row["run_id"] for row in rows])


def _restated(run: ReportRun, row: RowMapping) -> Restated:
    """Return what is different in an earlier run, whose periods are those of the report."""
    start, end = row["period_start"], row["period_end"]
    earlier = replace(run, period=row["period"], start=start, end=end, kind="scheduled")
    changes = [change_text(each) for each in changes_of_json(row["notified"])]
    more = len(changes) - MAX_CHANGES
    rest = [f"… and {more:,} more"] if more > 0 else []
    return Restated(period_text(earlier), [*changes[:MAX_CHANGES], *rest])
