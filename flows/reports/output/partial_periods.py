"""Find out whether data of a period is missing, so that a tile of it would show a number that is too small.

Reads what the worker measured of the relations that a tile reads; writes nothing. Without evidence that rows are
missing, a period is complete.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.database.select_guard import placeholders
from flows.reports.definitions.model import TileDefinition
from flows.reports.formats import Snapshot, TableQuery, explain_query
from flows.reports.runs.model import ReportRun
from flows.reports.scheduling.period_parameters import PERIOD_PARAMETERS, sql_parameters

_INSTANT = timedelta(microseconds=1)


def incomplete_text(snapshot: Snapshot, run: ReportRun, tile: TileDefinition) -> str:
    """Return until when the data of the period is there, as text for readers; empty if nothing is missing.

    A preliminary run is of a period that is not over, and SQL without the period does not depend on it.
    """
    uses_period = placeholders(tile.sql) & PERIOD_PARAMETERS
    if run.is_preliminary or tile.include_partial or not uses_period:
        return ""
    since = _incomplete_since(snapshot, run, tile)
    return _text(since, run.end, run.report.timezone) if since else ""


def _incomplete_since(snapshot: Snapshot, run: ReportRun, tile: TileDefinition) -> datetime | None:
    query = TableQuery(tile.title, tile.sql, sql_parameters(run))
    relations = sorted(explain_query(snapshot, query).relations)
    with warehouse() as connection:
        (row,) = run_sql(
            connection, "reports/incomplete_since", relations=relations, period_end=run.end
        )
    return row["since"]


def _text(since: datetime, period_end: datetime, timezone: str) -> str:
    zone = ZoneInfo(timezone)
    local, last = since.astimezone(zone), (period_end - _INSTANT).astimezone(zone)
    at = f"{local:%H:%M}" if local.date() == last.date() else f"{local:%Y-%m-%d %H:%M}"
    return f"incomplete: data until {at}"
