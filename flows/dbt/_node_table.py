"""Lay out the nodes of a run as a table for the Prefect UI, of a bounded size.

Reads and writes nothing.
"""

from collections.abc import Iterable
from typing import Any

from flows.dbt._dbt_artifacts import SKIPPED, NodeResult, is_failed

ROWS, CHARACTERS = 1000, 400_000
"""The size of a table; a browser shows it without delay and the server takes it in one request."""


def node_table(nodes: Iterable[NodeResult]) -> tuple[list[dict[str, Any]], int]:
    """Return one row per node and the number of nodes left out: failed first, then skipped, then the slowest."""
    rows = [_row(node) for node in sorted(nodes, key=_urgency)]
    shown: list[dict[str, Any]] = []
    characters = 0
    for row in rows[:ROWS]:
        characters += sum(len(str(value)) for value in row.values())
        if characters > CHARACTERS:
            break
        shown.append(row)
    return shown, len(rows) - len(shown)


def _urgency(node: NodeResult) -> tuple[bool, bool, float]:
    return not is_failed(node), node["status"] not in SKIPPED, -node["seconds"]


def _row(node: NodeResult) -> dict[str, Any]:
    return {
        "node": f"{node['resource_type']} {node['name']}",
        "status": node["status"],
        "seconds": node["seconds"],
        "rows": node["rows"],
        "message": node["message"],
    }
