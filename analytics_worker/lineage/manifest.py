"""Add the nodes of a dbt project, and which reads which, from dbt's manifest.

Reads nothing, writes nothing. A model with a relation in the database is that relation's node.
"""

from collections.abc import Mapping
from typing import Any

from analytics_worker.lineage.graph import Lineage, Node
from analytics_worker.lineage.relations import relation

Manifest = Mapping[str, Any]
GROUPS = ("nodes", "sources", "exposures", "unit_tests", "metrics", "semantic_models")
WITH_RELATION = frozenset({"model", "seed", "snapshot", "source"})


def add_manifest(lineage: Lineage, manifest: Manifest) -> None:
    """Add the nodes of a manifest; parts of another form are left out."""
    found = {key: each for group in GROUPS for key, each in _group(manifest, group).items()}
    nodes = {key: _node(key, each) for key, each in found.items()}
    for key, each in found.items():
        _describe(lineage, nodes[key], each)
        for parent in _parents(each):
            if parent in nodes:
                lineage.add(nodes[parent], nodes[key])


def _group(manifest: Manifest, name: str) -> Mapping[str, Any]:
    group = manifest.get(name)
    items = group.items() if isinstance(group, Mapping) else ()
    return {str(key): each for key, each in items if isinstance(each, Mapping)}


def _node(key: str, entry: Mapping[str, Any]) -> Node:
    """Return the node of an entry: its relation, if it has one."""
    name = entry.get("alias") or entry.get("identifier") or entry.get("name")
    if entry.get("resource_type") not in WITH_RELATION or _is_ephemeral(entry):
        return Node("dbt", key)
    # projects double its quotes, because dbt only puts quotes around it
    return relation(str(entry.get("schema")), str(name).replace('""', '"'))


def _is_ephemeral(entry: Mapping[str, Any]) -> bool:
    config = entry.get("config")
    return isinstance(config, Mapping) and config.get("materialized") == "ephemeral"


def _describe(lineage: Lineage, node: Node, entry: Mapping[str, Any]) -> None:
    text = f"dbt {entry.get('resource_type')} {entry.get('name')}"
    before = lineage.descriptions.get(node)
    lineage.descriptions[node] = f"{before}, {text}" if before else text


def _parents(entry: Mapping[str, Any]) -> list[str]:
    depends_on = entry.get("depends_on")
    parents = depends_on.get("nodes") if isinstance(depends_on, Mapping) else None
    return [str(each) for each in parents] if isinstance(parents, list) else []
