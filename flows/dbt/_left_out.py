"""Find and describe the models that are not run, because a step before them failed.

Reads dbt's manifest; writes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from analytics_worker.text import first_of
from flows.dbt._dbt_artifacts import SKIPPED, NodeResult

NAMES = 10
Manifest = Mapping[str, Any]


def readers(failed: Iterable[NodeResult], manifest: Manifest) -> dict[str, str]:
    """Return the models that read a failed node, directly or not, with the reason by unique id."""
    reasons: dict[str, str] = {}
    for node in failed:
        for unique_id in _below(node["unique_id"], manifest.get("child_map") or {}):
            if _is_built(manifest, unique_id):
                name = f"{node['resource_type']} {node['name']}"
                reasons.setdefault(unique_id, f"not run: it reads {name}, which failed")
    return reasons


def skipped_models(manifest: Manifest, reason: str) -> dict[str, NodeResult]:
    """Return a skipped result for each model of the project, by unique id."""
    return {
        unique_id: NodeResult(
            unique_id=unique_id,
            name=node["name"],
            resource_type="model",
            status="skipped",
            seconds=0.0,
            rows=None,
            message=reason,
        )
        for unique_id, node in (manifest.get("nodes") or {}).items()
        if _is_built(manifest, unique_id)
    }


def describe_left_out(
    nodes: Sequence[NodeResult], left_out: Mapping[str, str], owners: Mapping[str, str | None]
) -> str:
    """Return a line with the number and some names of the models that were left out; empty if none was."""
    names = [
        f"{node['name']} (owner: {owner})"
        if (owner := owners.get(node["unique_id"]))
        else node["name"]
        for node in nodes
        if node["unique_id"] in left_out and node["status"] in SKIPPED
    ]
    if not names:
        return ""
    noun = "model was" if len(names) == 1 else "models were"
    return (
        f"{len(names)} {noun} not run, because a step before the models failed:"
        f" {first_of(names, NAMES)}"
    )


def _is_built(manifest: Manifest, unique_id: str) -> bool:
    node = (manifest.get("nodes") or {}).get(unique_id) or {}
    is_ephemeral = (node.get("config") or {}).get("materialized") == "ephemeral"
    return node.get("resource_type") == "model" and not is_ephemeral


def _below(unique_id: str, children: Mapping[str, Sequence[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [unique_id]
    while waiting:
        below = children.get(waiting.pop()) or []
        waiting += [each for each in below if each not in found]
        found.update(below)
    return found
