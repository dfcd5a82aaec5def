"""Build the lineage from what is stored, without plans of SQL and without dbt's manifest.

Reads the catalog of the warehouse, ops.dbt_relations and ops.unit_reads; writes nothing.
"""

from sqlalchemy import Connection

from analytics_worker.lineage.graph import Lineage, Node
from analytics_worker.lineage.relations import add_relations, relation
from analytics_worker.lineage.statements import run


def stored_lineage(connection: Connection) -> Lineage:
    """Return what views, dbt models and tests, rules and reports read."""
    lineage = Lineage()
    add_relations(lineage, connection)
    for row in run(connection, "stored_reads"):
        is_relation = row["kind"] == "relation"
        schema, name = row["schema_name"], row["relation_name"]
        reader = relation(schema, name) if is_relation else Node(row["kind"], row["name"])
        for read in row["reads"]:
            lineage.add(relation(*map(str, read)), reader)
    return lineage
