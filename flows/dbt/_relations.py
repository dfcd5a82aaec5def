"""Store the relations of a dbt project: their event-time columns, and what the models and tests read.

Reads dbt's manifest; replaces the rows of the project in ops.dbt_relations and ops.unit_reads.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection

from analytics_worker.database.connections import run_sql
from analytics_worker.lineage.unit_reads import UnitReads, replace_reads

Manifest = Mapping[str, Any]
WITH_RELATION = frozenset({"model", "seed", "snapshot", "source"})
TESTS = frozenset({"test", "unit_test"})


def record_relations(connection: Connection, manifest: Manifest) -> None:
    """Store the relations of a project; do nothing if dbt did not parse it."""
    if manifest:
        project = str((manifest.get("metadata") or {}).get("project_name"))
        rows = json.dumps(list(_rows(manifest)))
        run_sql(connection, "dbt/record_relations", project=project, relations=rows)
        replace_reads(connection, "dbt", list(_reads_of_tests(manifest)), scope=project)


def _reads_of_tests(manifest: Manifest) -> Iterator[UnitReads]:
    groups = ("nodes", "sources", "unit_tests")
    found = {key: node for group in groups for key, node in (manifest.get(group) or {}).items()}
    for key, node in found.items():
        if node.get("resource_type") in TESTS:
            yield UnitReads(key, list(_inputs(node, found)), tested=_tested(node, found))


def _tested(node: Mapping[str, Any], found: Mapping[str, Any]) -> list[tuple[str, str]] | None:
    """Return the relation that a test is declared on; None if it tests all that it reads."""
    model = found.get(str(node.get("attached_node") or node.get("tested_node_unique_id")))
    return [_relation(model)] if model and _has_relation(model) else None


def _rows(manifest: Manifest) -> Iterator[dict[str, Any]]:
    found = {**(manifest.get("nodes") or {}), **(manifest.get("sources") or {})}
    for each in found.values():
        if _has_relation(each):
            schema, name = _relation(each)
            yield {
                "database_name": each.get("database"),
                "schema_name": schema,
                "relation_name": name,
                "event_time_column": _event_time(each),
                "inputs": list(_inputs(each, found)),
            }


def _has_relation(node: Mapping[str, Any]) -> bool:
    config = node.get("config") or {}
    return node.get("resource_type") in WITH_RELATION and config.get("materialized") != "ephemeral"


def _relation(node: Mapping[str, Any]) -> tuple[str, str]:
    name = str(node.get("alias") or node.get("identifier") or node.get("name"))
    return str(node.get("schema")), name.replace('""', '"')  # as in _node_health


def _event_time(node: Mapping[str, Any]) -> str | None:
    config = node.get("config") or {}
    own = node.get("loaded_at_field") or config.get("loaded_at_field")
    return own or config.get("event_time")


def _inputs(node: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the relations that a node reads, those of ephemeral models in their place."""
    for key in (node.get("depends_on") or {}).get("nodes") or ():
        parent = found.get(key)
        if parent is None:
            continue
        if _has_relation(parent):
            yield _relation(parent)
        else:
            yield from _inputs(parent, found)
