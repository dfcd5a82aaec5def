"""Add the relations of the database, and which views read which relations.

Reads the catalog of the warehouse; writes nothing.
"""

import re

from sqlalchemy import Connection

from analytics_worker.lineage.graph import Lineage, Node
from analytics_worker.lineage.statements import run

_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*")
_QUOTED = re.compile(r'("(?:[^"]|"")*"|[^".]+)(?:\.|$)')


def relation(schema: str, name: str) -> Node:
    """Return the node of a relation; identifiers that need quotes have them."""
    return Node("relation", f"{_quoted(schema)}.{_quoted(name)}")


def relation_of(quoted_name: str) -> Node:
    """Return the node of a relation from its name as SQL has it."""
    pair = schema_and_name(quoted_name)
    return relation(*pair) if pair else Node("relation", quoted_name)


def schema_and_name(quoted_name: str) -> tuple[str, str] | None:
    """Return the identifiers of a relation from its name as SQL has it; None without a schema."""
    parts = [_unquoted(part) for part in _QUOTED.findall(quoted_name)]
    return (parts[-2], parts[-1]) if len(parts) > 1 else None


def add_relations(lineage: Lineage, connection: Connection) -> None:
    """Add all relations outside the system's schemas."""
    for row in run(connection, "relations"):
        node = relation(row["schema_name"], row["relation_name"])
        lineage.descriptions[node] = row["kind"]
        for schema, name in row["reads"]:
            lineage.add(relation(schema, name), node)


def _quoted(identifier: str) -> str:
    if _PLAIN.fullmatch(identifier):
        return identifier
    return '"' + identifier.replace('"', '""') + '"'


def _unquoted(identifier: str) -> str:
    return identifier[1:-1].replace('""', '"') if identifier.startswith('"') else identifier
