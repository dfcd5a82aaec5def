"""Find through which instant the data of a report is complete.

Reads what the worker measured of the relations that its tiles, charts and tables read; writes nothing.
"""

from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from analytics_worker.database.connections import run_sql, warehouse
from flows.reports.formats import Snapshot, TableQuery, explain_query
from flows.reports.runs.model import ReportRun
from flows.reports.scheduling.period_parameters import sql_parameters

COMPLETE, CHANGED, UNKNOWN = "Complete through", "Data last changed", "Data as of"
OWN = "ops."
"""What the worker knows of itself has no age."""


class DataAge(NamedTuple):
    """What is known of the age of data: a label, an instant, and whether some of the relations are unknown."""

    label: str
    at: datetime | None
    is_partial: bool = False

    def text(self, timezone: str) -> str:
        """Return the instant for readers."""
        if self.at is None:
            return "unknown"
        text = f"{self.at.astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M %Z}"
        return f"{text} (not known of all sources)" if self.is_partial else text


def data_age(snapshot: Snapshot, run: ReportRun) -> DataAge:
    """Return through which instant all that a report reads is complete.

    If no event-time column is declared, return when the data last changed.
    """
    replayed = snapshot.replayed_until
    relations = sorted(each for each in _relations(snapshot, run) if not each.startswith(OWN))
    with warehouse() as connection:
        (row,) = run_sql(
            connection, "reports/data_as_of", relations=relations, replayed_until=replayed
        )
    if row["complete_through"]:
        return DataAge(COMPLETE, row["complete_through"], row["is_partial"])
    return DataAge(CHANGED, row["changed_at"]) if row["changed_at"] else DataAge(UNKNOWN, None)


def _relations(snapshot: Snapshot, run: ReportRun) -> frozenset[str]:
    report, parameters = run.report, sql_parameters(run)
    definitions = [*report.tiles, *report.charts, *report.tables]
    queries = [TableQuery(each.title, each.sql, parameters) for each in definitions]
    return frozenset[str]().union(*(explain_query(snapshot, each).relations for each in queries))
