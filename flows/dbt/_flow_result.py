"""Build the result of a dbt flow, record it, and publish it.

Writes the history tables and a table artifact once per run.
"""

from collections.abc import Mapping, Sequence

from prefect.artifacts import create_table_artifact

from analytics_worker.prefect_support.results import Status, flow_result
from flows.dbt._attempts import DbtRun
from flows.dbt._dbt_artifacts import (
    DbtResult,
    DbtSummary,
    NodeError,
    NodeResult,
    errors_of,
    is_failed,
    status_of_summary,
    summary_of,
)
from flows.dbt._history import record_run
from flows.dbt._published_files import publish_failed_sql
from flows.dbt.node_history.details import NodeDetails, node_details
from flows.dbt.node_history.durations import describe_durations, usual_seconds

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
    details = node_details(dbt_run.workspace, nodes)
    errors = _with_owners(errors_of(nodes), nodes, details)
    error = None if status in {"success", "skipped"} else _error(dbt_run, errors)
    result = DbtResult(
        **flow_result(status, _message(dbt_run, summary, error, unit), error=error),
        summary=summary,
        results=nodes,
        errors=errors,
    )
    if status != "skipped":
        notes = [_record(dbt_run, result, details), _failed_sql(dbt_run, result, details)]
        publish_artifact(artifact, dbt_run.title, result, [note for note in notes if note])
    return result


def _record(dbt_run: DbtRun, result: DbtResult, details: Mapping[str, NodeDetails]) -> str:
    """Record the run; return a sentence about the durations of its nodes."""
    usual = usual_seconds(result["results"], dbt_run.started_at)
    columns = {each: {**found, "usual_seconds": usual.get(each)} for each, found in details.items()}
    record_run(dbt_run.title, dbt_run.arguments.argv, dbt_run.started_at, result, columns)
    return describe_durations(result["results"], usual) if dbt_run.shows_nodes else ""


def _failed_sql(dbt_run: DbtRun, result: DbtResult, details: Mapping[str, NodeDetails]) -> str:
    """Store the SQL of failed nodes; return a sentence that says where, if there is any."""
    title = f"{dbt_run.title}, started {dbt_run.started_at:%Y-%m-%d %H:%M:%S} UTC"
    link = publish_failed_sql(dbt_run.command[0], title, result["results"], details)
    return f"SQL of the failed nodes: {link}" if link else ""


def _with_owners(
    errors: list[NodeError], nodes: list[NodeResult], details: Mapping[str, NodeDetails]
) -> list[NodeError]:
    """Return the errors with the owners of their nodes, in the same order."""
    owners = [details[node["unique_id"]]["owner"] for node in nodes if is_failed(node)]
    for error, owner in zip(errors, owners, strict=True):
        if owner:
            error["owner"] = owner
    return errors


def _error(dbt_run: DbtRun, errors: list[NodeError]) -> str:
    """Return the error of dbt, followed by those of the nodes with their owners."""
    failed = [
        f"{error['name']}{f' (owner: {owner})' if (owner := error.get('owner')) else ''}:"
        f" {error['message'] or error['status']}"
        for error in errors
    ]
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


def publish_artifact(
    artifact: str, title: str, result: DbtResult, notes: Sequence[str] = ()
) -> None:
    """Publish a table with one row per node, failed nodes first."""
    rows = sorted(result["results"], key=lambda node: not is_failed(node))
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
        description="\n\n".join([f"`{title}`: {result['message']}", *notes]),
    )
