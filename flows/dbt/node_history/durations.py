"""Compare the durations of nodes with their usual ones: the medians of their earlier successes.

Reads ``ops.dbt_node_results``; writes nothing. Without the database no duration is unusual.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime

from prefect import get_run_logger
from sqlalchemy.exc import SQLAlchemyError

from analytics_worker.circuit_breaker import CircuitOpenError
from analytics_worker.database.connections import MissingDatabaseError, run_sql, warehouse
from analytics_worker.text import first_of, one_line
from flows.dbt._dbt_artifacts import NodeResult

SLOWEST = 5
SLOWING_RATIO = 1.5
SLOWING_SECONDS = 5.0
"""A node is slowing if it took at least 1.5 times as long as usual, and 5 s longer."""


def usual_seconds(
    relations: Mapping[str, str | None], before: datetime, target: str | None = None
) -> dict[str, float]:
    """Return the usual durations of the nodes that succeeded at least five times before.

    Args:
        relations: What each node builds, by unique id; only runs that built the same count.
        before: The start of the run.
        target: The target that the caller chose; of nodes without a relation, only its runs count.
    """
    nodes = [{"unique_id": each, "relation": relation} for each, relation in relations.items()]
    values = {"nodes": json.dumps(nodes), "before": before, "target": target}
    try:
        with warehouse() as connection:
            rows = run_sql(connection, "dbt/usual_seconds", **values)
    except (SQLAlchemyError, CircuitOpenError, MissingDatabaseError) as error:
        get_run_logger().warning("could not read earlier durations: %s", one_line(str(error)))
        return {}
    return {row["unique_id"]: float(row["usual_seconds"]) for row in rows}


def describe_durations(nodes: Iterable[NodeResult], usual: Mapping[str, float]) -> str:
    """Return a sentence about the slowest nodes, and one about those slower than usual."""
    by_seconds = sorted(nodes, key=lambda node: -node["seconds"])
    slowest = [f"{node['name']} {node['seconds']:.1f} s" for node in by_seconds[:SLOWEST]]
    slowing = [
        f"{node['name']} {node['seconds']:.1f} s, usually {usual[node['unique_id']]:.1f} s"
        for node in by_seconds
        if _is_slowing(node["seconds"], usual.get(node["unique_id"]))
    ]
    sentences = [f"Slowest: {'; '.join(slowest)}."] if slowest else []
    if slowing:
        sentences.append(f"Slower than usual: {first_of(slowing, SLOWEST, '; ')}.")
    return " ".join(sentences)


def _is_slowing(seconds: float, usual: float | None) -> bool:
    return usual is not None and seconds >= max(usual * SLOWING_RATIO, usual + SLOWING_SECONDS)
