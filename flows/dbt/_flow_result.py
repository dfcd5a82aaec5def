"""Build the result of a dbt flow, record it, and publish it.

Writes the history tables and a table artifact once per run.
"""

import re
from collections.abc import Mapping, Sequence

from prefect.artifacts import create_markdown_artifact

from analytics_worker.prefect_support.results import flow_result
from analytics_worker.prefect_support.table_artifacts import create_table_artifact
from analytics_worker.text import one_line, printable
from flows.dbt._attempts import DbtRun
from flows.dbt._dbt_artifacts import (
    MESSAGE_CHARACTERS,
    SKIPPED,
    DbtResult,
    DbtSummary,
    NodeError,
    NodeResult,
    errors_of,
    is_failed,
    status_of_summary,
    summary_of,
)
from flows.dbt._history import record_node_health, record_run
from flows.dbt._left_out import describe_left_out
from flows.dbt._node_table import node_table
from flows.dbt._published_files import publish_failed_sql
from flows.dbt.node_history.details import NodeDetails, node_details
from flows.dbt.node_history.durations import describe_durations, usual_seconds

ERRORS_IN_MESSAGE = 3
MAX_ERROR_CHARACTERS = 100_000


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
    status = status_of_summary(summary, dbt_run.error)
    details = node_details(dbt_run.workspace, nodes)
    errors = _with_owners(errors_of(nodes), nodes, details)
    owners = {unique_id: found["owner"] for unique_id, found in details.items()}
    reasons = [dbt_run.error, describe_left_out(nodes, dbt_run.left_out, owners)]
    error = None if status == "success" else _error([each for each in reasons if each], errors)
    result = DbtResult(
        **flow_result(status, _message(dbt_run, summary, error, unit), error=error),
        summary=summary,
        results=nodes,
        errors=errors,
    )
    notes = [_record(dbt_run, result, details), _failed_sql(dbt_run, result, details)]
    publish_artifact(artifact, dbt_run.title, result, [note for note in notes if note])
    return result


def _record(dbt_run: DbtRun, result: DbtResult, details: Mapping[str, NodeDetails]) -> str:
    """Record the run; return a sentence about the durations of its nodes."""
    relations = {each: found["relation"] for each, found in details.items()}
    usual = usual_seconds(relations, dbt_run.started_at, dbt_run.arguments.target)
    columns = {each: {**found, "usual_seconds": usual.get(each)} for each, found in details.items()}
    record_run(dbt_run.title, dbt_run.arguments.argv, dbt_run.started_at, result, columns)
    if not dbt_run.shows_nodes:  # they were only compiled
        return ""
    manifest = dbt_run.workspace.manifest()
    nodes = dbt_run.step_nodes | dbt_run.nodes
    record_node_health(dbt_run.arguments, dbt_run.started_at, manifest, nodes)
    return describe_durations(result["results"], usual)


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


def _error(reasons: list[str], errors: list[NodeError]) -> str:
    """Return the reasons, then the errors of the nodes with their owners, at most MAX_ERROR_CHARACTERS."""
    failed = [
        f"{error['name']}{f' (owner: {owner})' if (owner := error.get('owner')) else ''}:"
        f" {error['message'] or error['status']}"
        for error in errors
    ]
    text = printable("\n".join(reasons + failed))
    return text if len(text) <= MAX_ERROR_CHARACTERS else f"{text[: MAX_ERROR_CHARACTERS - 1]}…"


def _message(dbt_run: DbtRun, summary: DbtSummary, error: str | None, unit: str) -> str:
    """Return one line of at most MESSAGE_CHARACTERS; the artifact has the rest."""
    lines = [line for line in (error or "").splitlines() if line.strip()]
    reason = "; ".join(lines[:ERRORS_IN_MESSAGE])
    if not dbt_run.step_nodes | dbt_run.nodes:
        return one_line(reason or _nothing_to_do(dbt_run, unit), MESSAGE_CHARACTERS)
    kinds = ("passed", "warned", "failed", "skipped")
    counts = ", ".join(f"{summary[kind]} {kind}" for kind in kinds if summary[kind])
    text = f"{_executed(dbt_run, summary, unit)} in {summary['seconds']:.1f} s: {counts or 'none'}"
    return one_line(f"{text}. {reason}" if reason else text, MESSAGE_CHARACTERS)


def _nothing_to_do(dbt_run: DbtRun, unit: str) -> str:
    selection = dbt_run.arguments.selection
    if selection:
        return f"nothing to do: no {unit} match {selection}, compared with the state"
    return f"nothing to do: the dbt project has no {unit} for `{dbt_run.title}`"


def _executed(dbt_run: DbtRun, summary: DbtSummary, unit: str) -> str:
    """Return the number of executed nodes; hooks of the project are not nodes."""
    hooks = sum(
        node["resource_type"] == "operation" and node["status"] not in SKIPPED
        for node in dbt_run.nodes.values()
    )
    text = f"{max(summary['executed'] - hooks, 0)} {unit}"
    return f"{text} and {hooks} hooks" if hooks else text


def publish_artifact(
    artifact: str, title: str, result: DbtResult, notes: Sequence[str] = ()
) -> None:
    """Publish a table of the nodes, failed ones first, and the error below it if it is long.

    A large table says how many nodes it leaves out.
    """
    rows, left_out = node_table(result["results"])
    more = f"**{left_out} more nodes are not shown**; `ops.dbt_node_results` has them all."
    description = [f"`{title}`: {result['message']}", *notes, *([more] if left_out else [])]
    create_table_artifact(key=artifact, table=rows, description="\n\n".join(description))
    error = result.get("error", "")
    if len(error) > len(result["message"]):
        fence = "`" * (1 + max(map(len, re.findall("`+", error)), default=2))
        create_markdown_artifact(
            key=f"{artifact}-error",
            markdown=f"{fence}\n{error}\n{fence}",
            description=f"Error of `{title}`",
        )
