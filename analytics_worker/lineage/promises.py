"""Add the promises of relations and reports.

Reads ops.promises; writes nothing.
"""

from sqlalchemy import Connection

from analytics_worker.lineage.graph import Lineage, Node
from analytics_worker.lineage.relations import relation
from analytics_worker.lineage.statements import run


def add_promises(lineage: Lineage, connection: Connection) -> None:
    """Add each promise as a reader of what it is of, with the time by which that is promised."""
    for row in run(connection, "promises"):
        node = Node("promise", row["name"])
        report, pair = row["report"], (row["schema_name"], row["relation_name"])
        lineage.add(Node("report", report) if report else relation(*pair), node)
        lineage.descriptions[node] = row["description"] or "promise"
