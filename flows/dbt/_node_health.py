"""Update ``ops.dbt_node_health``, the last verdict about each node, from the results of one run.

Reads dbt's manifest; writes all rows of a run in one statement. A run says nothing about the nodes that it
did not run. Repeating it changes only the number of failures.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection

from analytics_worker.database.connections import run_sql
from flows.dbt._arguments import Arguments
from flows.dbt._dbt_artifacts import PASSED, WARNED, NodeResult, is_done, is_failed
from flows.dbt.node_history.details import owner_of

BUILT = frozenset({"model", "seed", "snapshot"})
PARTIAL_DATA = frozenset({"--empty", "--sample"})
TARGET = ("--target", "-t")


@dataclass(frozen=True)
class RunOfNodes:
    """The results of one run of dbt.

    Attributes:
        manifest: dbt's manifest; empty if dbt did not parse the project.
        nodes: Result of each node, by unique id.
    """

    arguments: Arguments
    started_at: datetime
    flow_run_id: str | None
    manifest: Mapping[str, Any]
    nodes: Mapping[str, NodeResult]


def update_node_health(connection: Connection, run: RunOfNodes) -> None:
    """Update the health of the nodes of a run; do nothing if dbt did not parse the project."""
    if not run.manifest:
        return
    known = _known_nodes(run.manifest)
    run_sql(
        connection,
        "dbt/update_node_health",
        project=str(run.manifest.get("metadata", {}).get("project_name")),
        target=_target(run.arguments),
        known=[*known],
        nodes=json.dumps(list(_rows(run.manifest, known, run.nodes))),
        started_at=run.started_at,
        flow_run_id=run.flow_run_id,
        has_all_data=not PARTIAL_DATA & set(run.arguments.options),
    )


def _known_nodes(manifest: Mapping[str, Any]) -> dict[str, Any]:
    groups = ("nodes", "sources", "unit_tests")
    return {key: node for group in groups for key, node in manifest.get(group, {}).items()}


def _rows(
    manifest: Mapping[str, Any], known: Mapping[str, Any], results: Mapping[str, NodeResult]
) -> Iterator[dict[str, Any]]:
    """Yield the nodes with a result, and all models: a report may wait for one that never ran."""
    for unique_id, node in known.items():
        result = results.get(unique_id)
        is_model = node.get("resource_type") == "model" and not _is_ephemeral(node)
        if result is not None or is_model:
            yield _row(unique_id, node, result) | {"owner": owner_of(manifest, node)}


def _is_ephemeral(node: Mapping[str, Any]) -> bool:
    return (node.get("config") or {}).get("materialized") == "ephemeral"


def _row(unique_id: str, node: Mapping[str, Any], result: NodeResult | None) -> dict[str, Any]:
    kind = str(node.get("resource_type"))
    succeeded = result is not None and result["status"] in PASSED
    return {
        "unique_id": unique_id,
        "database_name": node.get("database"),
        "schema_name": node.get("schema"),
        "relation_name": _relation_name(node),
        "resource_type": kind,
        "name": result["name"] if result else node.get("name"),
        "status": _verdict(result),
        "has_warning": result is not None and result["status"] in WARNED,
        "is_built": succeeded and kind in BUILT,
        "message": result["message"] if result else None,
    }


def _relation_name(node: Mapping[str, Any]) -> str:
    """Return the name of the relation; projects double its quotes, because dbt only puts quotes around it."""
    name = str(node.get("alias") or node.get("identifier") or node.get("name"))
    return name.replace('""', '"')


def _verdict(result: NodeResult | None) -> str | None:
    """Return whether the node is ok or failing; None if it was skipped or not selected."""
    if result is None:
        return None
    if is_failed(result):
        return "failing"
    return "ok" if is_done(result) else None


def _target(arguments: Arguments) -> str:
    options = arguments.options
    found = [value for option, value in pairwise(options) if option in TARGET]
    return found[-1] if found else ""
