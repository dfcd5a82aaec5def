"""Build the lineage from what is stored, without plans of SQL and without dbt's manifest.

Reads the catalog of the warehouse, ops.dbt_relations and ops.unit_reads; writes nothing.
"""

from functools import lru_cache
from pathlib import Path

from sqlalchemy import Connection, text

from analytics_worker.lineage.graph import Lineage, Node
from analytics_worker.lineage.relations import add_relations, relation


def stored_lineage(connection: Connection) -> Lineage:
    """Return what views, dbt models and tests, rules and reports read."""
    lineage = Lineage()
    add_relations(lineage, connection)
    for row in connection.execute(text(_statement())).mappings():
        is_relation = row["kind"] == "relation"
        schema, name = row["schema_name"], row["relation_name"]
        reader = relation(schema, name) if is_relation else Node(row["kind"], row["name"])
        for read in row["reads"]:
            lineage.add(relation(*map(str, read)), reader)
    return lineage


@lru_cache
def _statement() -> str:
    return (Path(__file__).parent / "sql" / "stored_reads.sql").read_text()
