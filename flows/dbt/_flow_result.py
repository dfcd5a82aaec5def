"""Build the result of a dbt flow, record it, and publish it.

Writes the history tables and a table artifact once per run.
"""

from prefect.artifacts import create_table_artifact

from analytics_worker.prefect_support.results import Status, flow_result
from flows.dbt._attempts import DbtRun
from flows.dbt._dbt_artifacts import (
    DbtResult,
    DbtSummary,
    NodeResult,
    errors_of,
    status_of_summary,
    summary_of,
)
from flows.dbt._history import record_run

ERRORS_IN_MESSAGE = 3


def finish_run(dbt_run: DbtRun, *, artifact: str, unit: str) -> DbtResult:
    """Record and publish a finished run; return its result.

    Args:
        dbt_run: The run.
        artifact: Key of its table in the Prefect UI.
        unit: Plural name of the nodes, for the message.
    """
    all_nodes = dbt_run.step_nodes | dbt_run.nodes
    nodes = sorted(all_nodes.values(), key=lambda node: node["unique_id"])
    summary = summary_of(nodes, dbt_run.seconds)
    status: Status = (
        "skipped" if dbt_run.lock_conflict else status_of_summary(summary, dbt_run.error)
    )
    error = None if status in {"success", "skipped"} else _error(dbt_run, nodes)
    result = DbtResult(
        **flow_result(status, _message(dbt_run, summary, error, unit), error=error),
        summary=summary,
        results=nodes,
        errors=errors_of(nodes),
    )
    if status != "skipped":
        record_run(dbt_run.title, dbt_run.arguments.argv, dbt_run.started_at, result)
        publish_artifact(artifact, dbt_run.title, result)
    return result


def _error(dbt_run: DbtRun, nodes: list[NodeResult]) -> str:
    """Return the error of dbt, followed by those of the nodes."""
    failed = [f"{node['name']}: {node['message'] or node['status']}" for node in errors_of(nodes)]
    return "\n".join(([dbt_run.error] if dbt_run.error else []) + failed)


def _message(dbt_run: DbtRun, summary: DbtSummary, error: str | None, unit: str) -> str:
    if dbt_run.lock_conflict:
        return dbt_run.lock_conflict
    reason = "; ".join(error.splitlines()[:ERRORS_IN_MESSAGE]) if error else ""
    if reason and not dbt_run.step_nodes | dbt_run.nodes:
        return reason
    kinds = ("passed", "warned", "failed", "skipped")
    counts = ", ".join(f"{summary[kind]} {kind}" for kind in kinds if summary[kind])
    text = f"{summary['executed']} {unit} in {summary['seconds']:.1f} s: {counts or 'none'}"
    return f"{text}. {reason}" if reason else text


def publish_artifact(artifact: str, title: str, result: DbtResult) -> None:
    """Publish a table with one row per node, failed nodes first."""
    rows = sorted(result["results"], key=lambda node: node not in result["errors"])
    create_table_artifact(
        key=artifact,
        table=[
            {
                "node": f"{node['resource_type']} {node['name']}",
                "status": node["status"],
                "seconds": node["seconds"],
                "rows": node["rows"],
                "message": node["message"],
            }
            for node in rows
        ],
        description=f"`{title}`: {result['message']}",
    )
