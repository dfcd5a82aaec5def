"""Add the reports, the relations that they read, and their recipients.

Reads ops.report_definitions and plans each statement as the report's reader; reads no rows and writes nothing.
"""

from collections.abc import Container
from datetime import UTC, datetime

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.lineage.graph import Lineage, Node
from analytics_worker.lineage.problems import problems_of
from analytics_worker.lineage.recipients import add_recipients
from analytics_worker.lineage.relations import relation_of
from analytics_worker.text import one_line
from flows.reports.definitions.model import Report
from flows.reports.output.recipients import recipients_of
from flows.reports.scheduling.read_relations import planned_relations
from flows.reports.scheduling.report_periods import last_report_period


def add_reports(lineage: Lineage) -> None:
    """Add all stored reports; a statement that can't be planned is a problem of the graph."""
    with warehouse() as connection:
        rows = run_sql(connection, "reports/all_definitions")
    for row in rows:
        node = Node("report", row["name"])
        lineage.descriptions[node] = "report"
        with problems_of(lineage, f"report {node.name}"):
            _add_report(lineage, node, Report.model_validate_json(row["definition"]))


def add_report_recipients(lineage: Lineage, names: Container[str]) -> None:
    """Add who receives the reports of these names."""
    with warehouse() as connection:
        rows = run_sql(connection, "reports/all_definitions")
    for row in rows:
        if row["name"] in names:
            with problems_of(lineage, f"report {row['name']}"):
                report = Report.model_validate_json(row["definition"])
                add_recipients(lineage, Node("report", row["name"]), recipients_of(report, {}))


def _add_report(lineage: Lineage, node: Node, report: Report) -> None:
    planned = planned_relations(report, last_report_period(report, datetime.now(UTC)))
    lineage.add_reads(node, map(relation_of, planned.relations))
    lineage.problems += [f"report {node.name}: {one_line(each)}" for each in planned.errors]
    add_recipients(lineage, node, recipients_of(report, {}))
