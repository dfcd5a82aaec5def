"""Find what is known of the data of a report: through which instant it is complete, how tested, which incidents.

Reads what the worker recorded of the relations that its tiles, charts and tables read; writes nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.lineage.graph import Node
from analytics_worker.lineage.relations import relation
from analytics_worker.trust.facts import Facts, read_facts
from analytics_worker.trust.stamp import instant_text, without_own_failure
from analytics_worker.trust.state import TrustState, states_by
from flows.reports.formats import Snapshot
from flows.reports.output.part_reads import PartReads, joined_names
from flows.reports.runs.model import ReportRun

COMPLETE, CHANGED, UNKNOWN = "Complete through", "Data last changed", "Data as of"
UNKNOWN_AGE = "unknown"


class DataAge(NamedTuple):
    """What is known of the age of data: a label, an instant, and whether some of the relations are unknown."""

    label: str
    at: datetime | None
    is_partial: bool = False

    @property
    def complete_through(self) -> datetime | None:
        """The instant, if the data is complete through it."""
        return self.at if self.label == COMPLETE else None

    @property
    def changed_at(self) -> datetime | None:
        """The instant, if nothing is known but when the data last changed."""
        return self.at if self.label == CHANGED else None

    def text(self, timezone: str) -> str:
        """Return the instant for readers."""
        if self.at is None:
            return UNKNOWN_AGE
        return instant_text(self.at, timezone, is_partial=self.is_partial)


class DataState(NamedTuple):
    """What is known of the data of a report."""

    age: DataAge
    trust: TrustState


def data_state(
    snapshot: Snapshot, run: ReportRun, reads: PartReads, facts: Facts | None = None
) -> DataState:
    """Return what is known of all that a report reads.

    Args:
        snapshot: The snapshot of the report.
        run: The run.
        reads: What its parts read.
        facts: What is known of everything, if it was read for this run already.
    """
    report = run.report
    parts = (*report.tiles, *report.charts, *report.tables)
    relations = sorted({each for part in parts for each in reads[part.sql]})
    with warehouse() as connection:
        age = _age(connection, relations, snapshot.replayed_until)
        trust = _trust(facts or read_facts(connection), relations, run)
    if age.complete_through:
        return DataState(age, trust._replace(complete_through=age.at, is_partial=age.is_partial))
    return DataState(age, trust._replace(complete_through=None))


def _age(
    connection: Connection, relations: Sequence[tuple[str, str]], replayed_until: datetime | None
) -> DataAge:
    """Return through which instant all is complete; without a declared column, when it last changed."""
    (row,) = run_sql(
        connection,
        "reports/data_as_of",
        relations=list(joined_names(relations)),
        replayed_until=replayed_until,
    )
    if row["complete_through"]:
        return DataAge(COMPLETE, row["complete_through"], row["is_partial"])
    return DataAge(CHANGED, row["changed_at"]) if row["changed_at"] else DataAge(UNKNOWN, None)


def _trust(facts: Facts, relations: Sequence[tuple[str, str]], run: ReportRun) -> TrustState:
    unit = Node("report", run.report.name)
    reads = {unit: [relation(*each) for each in relations]}
    return without_own_failure(states_by(facts, [unit], reads)[unit], unit)
