"""Find the dbt nodes that fail, for the runs of dbt among the runs that ended.

Reads ``ops.dbt_runs`` and ``ops.dbt_node_health``; writes nothing.
"""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from analytics_worker.database.connections import run_sql
from flows.monitoring.deployment_health.state_machine import RunEnd


def with_dbt_failures(connection: Connection, ends: Sequence[RunEnd]) -> list[RunEnd]:
    """Return the ends of the runs, those of dbt with the nodes that fail."""
    rows = run_sql(connection, "monitoring/dbt_failures", runs=_ids(ends))
    failures = {row["flow_run_id"]: row for row in rows}
    return [
        replace(end, failing_nodes=tuple(failures[end.run_id]["failing_nodes"]))
        if end.run_id in failures
        else end
        for end in ends
    ]


def _ids(ends: Sequence[RunEnd]) -> list[str]:
    return [str(end.run_id) for end in ends]
