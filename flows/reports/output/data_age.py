"""Find what is known of the data of a report: through which instant it is complete, how tested, which incidents.

Reads what the worker recorded of the relations that its tiles, charts and tables read; writes nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.lineage.graph import Node
from analytics_worker.lineage.relations import relation_of
from analytics_worker.trust.stamp import instant_text, without_own_failure
from analytics_worker.trust.state import TrustState, trust_states
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
        return instant_text(self.at, timezone, is_partial=self.is_partial)


class DataState(NamedTuple):
    """What is known of the data of a report."""

    age: DataAge
    trust: TrustState


def data_state(snapshot: Snapshot, run: ReportRun) -> DataState:
    """Return what is known of all that a report reads."""
    relations = sorted(each for each in _relations(snapshot, run) if not each.startswith(OWN))
    with warehouse() as connection:
        age = _age(connection, relations, snapshot.replayed_until)
        trust = _trust(connection, relations, run)
    if age.label == COMPLETE:
        return DataState(age, trust._replace(complete_through=age.at, is_partial=age.is_partial))
    return DataState(age, trust._replace(complete_through=None))


def _age(
    connection: Connection, relations: Sequence[str], replayed_until: datetime | None
) -> DataAge:
    """Return through which instant all is complete; without a declared column, when it last changed."""
    (row,) = run_sql(
        connection, "reports/data_as_of", relations=relations, replayed_until=replayed_until
    )
    if row["complete_through"]:
        return DataAge(COMPLETE, row["complete_through"], row["is_partial"])
    return DataAge(CHANGED, row["changed_at"]) if row["changed_at"] else DataAge(UNKNOWN, None)


def _trust(connection: Connection, relations: Sequence[str], run: ReportRun) -> TrustState:
    unit = Node("report", run.report.name)
    reads = {unit: list(map(relation_of, relations))}
    return without_own_failure(trust_states(connection, [unit], reads)[unit], unit)


def _relations(snapshot: Snapshot, run: ReportRun) -> frozenset[str]:
    report, parameters = run.report, sql_parameters(run)
    definitions = [*report.tiles, *report.charts, *report.tables]
    queries = [TableQuery(each.title, each.sql, parameters) for each in definitions]
    return frozenset[str]().union(*(explain_query(snapshot, each).relations for each in queries))
