"""What a dbt flow returns, and what is kept of it.

Writes the history tables and a table artifact, one of each per run.
"""

from prefect.artifacts import create_table_artifact

from analytics_worker.prefect_support.results import Status, outcome
from flows.dbt._attempts import Work
from flows.dbt._history import record
from flows.dbt._results import (
    DbtResult,
    DbtSummary,
    NodeResult,
    errors_of,
    status_of_summary,
    summary_of,
)

ERRORS_IN_MESSAGE = 3


def report(work: Work, *, artifact: str, unit: str) -> DbtResult:
    """The result of a run that has ended.

    Args:
        work: The run.
        artifact: Key of its table in the Prefect UI.
        unit: What the nodes are, in the plural.
    """
    nodes = sorted(work.nodes.values(), key=lambda node: node["unique_id"])
    summary = summary_of(nodes, work.seconds)
    status: Status = "skipped" if work.running_elsewhere else status_of_summary(summary, work.error)
    error = None if status in {"success", "skipped"} else _error(work, nodes)
    result = DbtResult(
        **outcome(status, _message(work, summary, error, unit), error=error),
        summary=summary,
        results=nodes,
        errors=errors_of(nodes),
    )
    if status != "skipped":
        record(work.title, work.arguments.argv, work.started_at, result)
        show(artifact, work.title, result)
    return result


def _error(work: Work, nodes: list[NodeResult]) -> str:
    """Why it failed: dbt's own error, then the nodes'."""
    failed = [f"{node['name']}: {node['message'] or node['status']}" for node in errors_of(nodes)]
    return "\n".join(([work.error] if work.error else []) + failed)


def _message(work: Work, summary: DbtSummary, error: str | None, unit: str) -> str:
    if work.running_elsewhere:
        return work.running_elsewhere
    reason = "; ".join(error.splitlines()[:ERRORS_IN_MESSAGE]) if error else ""
    if reason and not work.nodes:
        return reason
    kinds = ("passed", "warned", "failed", "skipped")
    counts = ", ".join(f"{summary[kind]} {kind}" for kind in kinds if summary[kind])
    text = f"{summary['executed']} {unit} in {summary['seconds']:.1f} s: {counts or 'none'}"
    return f"{text}. {reason}" if reason else text


def show(artifact: str, title: str, result: DbtResult) -> None:
    """One row per node, the failed ones first."""
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
