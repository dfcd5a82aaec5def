"""Build the result of a dbt flow, record it, and publish it.

Writes the history tables and a table artifact once per run.
"""

import re

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from analytics_worker.prefect_support.results import flow_result
from analytics_worker.text import one_line, printable
from flows.dbt._attempts import DbtRun
from flows.dbt._dbt_artifacts import (
    MESSAGE_CHARACTERS,
    DbtResult,
    DbtSummary,
    NodeResult,
    errors_of,
    status_of_summary,
    summary_of,
)
from flows.dbt._history import record_node_health, record_run

ERRORS_IN_MESSAGE = 3
MAX_ERROR_CHARACTERS = 100_000


def finish_run(dbt_run: DbtRun, *, artifact: str, unit: str) -> DbtResult:
    """Record and publish a finished run; return its result.

    Args:
        dbt_run: The run.
        artifact: Key of its table in the Prefect UI.
        unit: Plural name of the nodes, for the message.
    """
    nodes = sorted(dbt_run.nodes.values(), key=lambda node: node["unique_id"])
    summary = summary_of(nodes, dbt_run.seconds)
    status = status_of_summary(summary, dbt_run.error)
    error = None if status == "success" else _error(dbt_run, nodes)
    result = DbtResult(
        **flow_result(status, _message(dbt_run, summary, error, unit), error=error),
        summary=summary,
        results=nodes,
        errors=errors_of(nodes),
    )
    record_run(dbt_run.title, dbt_run.arguments.argv, dbt_run.started_at, result)
    if dbt_run.shows_nodes:  # else they were only compiled
        manifest = dbt_run.workspace.manifest()
        record_node_health(dbt_run.arguments, dbt_run.started_at, manifest, dbt_run.nodes)
    publish_artifact(artifact, dbt_run.title, result)
    return result


def _error(dbt_run: DbtRun, nodes: list[NodeResult]) -> str:
    """Return the error of dbt, followed by those of the nodes, at most MAX_ERROR_CHARACTERS."""
    failed = [f"{node['name']}: {node['message'] or node['status']}" for node in errors_of(nodes)]
    text = printable("\n".join(([dbt_run.error] if dbt_run.error else []) + failed))
    return text if len(text) <= MAX_ERROR_CHARACTERS else f"{text[: MAX_ERROR_CHARACTERS - 1]}…"


def _message(dbt_run: DbtRun, summary: DbtSummary, error: str | None, unit: str) -> str:
    """Return one line of at most MESSAGE_CHARACTERS; the artifact has the rest."""
    lines = [line for line in (error or "").splitlines() if line.strip()]
    reason = "; ".join(lines[:ERRORS_IN_MESSAGE])
    if not dbt_run.nodes:
        return one_line(
            reason or f"nothing to do: the dbt project has no {unit} for `{dbt_run.title}`",
            MESSAGE_CHARACTERS,
        )
    kinds = ("passed", "warned", "failed", "skipped")
    counts = ", ".join(f"{summary[kind]} {kind}" for kind in kinds if summary[kind])
    text = f"{_executed(dbt_run, summary, unit)} in {summary['seconds']:.1f} s: {counts or 'none'}"
    return one_line(f"{text}. {reason}" if reason else text, MESSAGE_CHARACTERS)


def _executed(dbt_run: DbtRun, summary: DbtSummary, unit: str) -> str:
    """Return the number of executed nodes; hooks of the project are not nodes."""
    hooks = sum(node["resource_type"] == "operation" for node in dbt_run.nodes.values())
    text = f"{max(summary['executed'] - hooks, 0)} {unit}"
    return f"{text} and {hooks} hooks" if hooks else text


def publish_artifact(artifact: str, title: str, result: DbtResult) -> None:
    """Publish a table with one row per node, failed nodes first, and the error below it if it is long."""
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
    error = result.get("error", "")
    if len(error) > len(result["message"]):
        fence = "`" * (1 + max(map(len, re.findall("`+", error)), default=2))
        create_markdown_artifact(
            key=f"{artifact}-error",
            markdown=f"{fence}\n{error}\n{fence}",
            description=f"Error of `{title}`",
        )
