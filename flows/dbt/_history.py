"""Record dbt runs in ``ops.dbt_runs`` and ``ops.dbt_node_results``, and nodes in ``ops.dbt_node_health``.

Writes one run with all its nodes in one statement; every run is a new row. A failure does not
change the result of the run.
"""

import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from prefect import get_run_logger
from prefect.context import FlowRunContext
from sqlalchemy.exc import SQLAlchemyError

from analytics_worker.circuit_breaker import CircuitOpenError
from analytics_worker.database.connections import MissingDatabaseError, run_sql, warehouse
from flows.dbt._arguments import Arguments
from flows.dbt._dbt_artifacts import DbtResult, NodeResult
from flows.dbt._node_health import RunOfNodes, update_node_health
from flows.dbt._relations import record_relations


def record_run(
    command: str,
    args: Sequence[str],
    started_at: datetime,
    result: DbtResult,
    details: Mapping[str, Mapping[str, object]] | None = None,
) -> None:
    """Record the result of a run; log a warning if that fails.

    Args:
        command: The command line without options.
        args: The options.
        started_at: When the run started.
        result: Its result.
        details: More columns of each node, by unique id.
    """
    columns = [{**node, **(details or {}).get(node["unique_id"], {})} for node in result["results"]]
    with _warning_of_failures("could not record the dbt run"), warehouse() as connection:
        run_sql(
            connection,
            "dbt/record_run",
            flow_run_id=_flow_run_id(),
            command=command,
            args=list(args),
            started_at=started_at,
            status=result["status"],
            error=result.get("error"),
            nodes=json.dumps(columns),
            **result["summary"],
        )


def record_node_health(
    arguments: Arguments,
    started_at: datetime,
    manifest: Mapping[str, Any],
    nodes: Mapping[str, NodeResult],
) -> None:
    """Record the last verdict about each node of a run; log a warning if that fails."""
    run = RunOfNodes(arguments, started_at, _flow_run_id(), manifest, nodes)
    with _warning_of_failures("could not record the dbt nodes"), warehouse() as connection:
        update_node_health(connection, run)
        record_relations(connection, manifest)


def _flow_run_id() -> str | None:
    context = FlowRunContext.get()
    flow_run = context.flow_run if context else None
    return str(flow_run.id) if flow_run else None


@contextmanager
def _warning_of_failures(what: str) -> Generator[None]:
    try:
        yield
    except (SQLAlchemyError, CircuitOpenError, MissingDatabaseError) as error:
        reason = str(error).strip().splitlines()[0]
        get_run_logger().warning("%s: %s", what, reason)
