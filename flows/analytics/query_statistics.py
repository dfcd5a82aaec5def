"""Update planner statistics with ANALYZE, and record the statements that take the most time.

Reads pg_catalog and pg_stat_statements; runs ANALYZE where needed and adds one snapshot of deltas
to ``ops.query_statistics``. Safe to repeat: analyzed relations are skipped, and a snapshot starts
where the last one ended.
"""

from typing import NotRequired, TypedDict

from prefect import get_run_logger
from sqlalchemy import Connection, RowMapping

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.results import FlowResult, flow_result, status_of
from analytics_worker.prefect_support.retries import STATISTICS
from analytics_worker.prefect_support.table_artifacts import create_table_artifact
from analytics_worker.prefect_support.task import task
from analytics_worker.settings import settings
from flows.analytics._analyze import Analyzed, analyze_changed

ARTIFACT_ROWS = 20


class Snapshot(TypedDict):
    """Totals of pg_stat_statements since the previous snapshot."""

    since: str | None
    """ISO 8601; time of the previous snapshot, or of the last reset of the counters."""
    statements: int
    stored: int
    calls: int
    seconds: float


class Statements(TypedDict):
    """A snapshot, or the reason why it is not available."""

    snapshot: Snapshot | None
    not_available: NotRequired[str]


class QueryStatistics(FlowResult):
    """Result of `update_query_statistics`."""

    relations: Analyzed
    statements: Statements


@task(**STATISTICS, name="analyze relations")
def analyze_relations(schemas: list[str]) -> Analyzed:
    """Run ANALYZE on the relations that changed since the last ANALYZE."""
    return analyze_changed(schemas)


@task(**STATISTICS, name="snapshot statements")
def snapshot_statements(top: int) -> Statements:
    """Store the statements that took the most time since the last snapshot."""
    with warehouse() as connection:
        state = run_sql(connection, "analytics/statement_statistics_state")[0]
        if problem := _unavailable_reason(state):
            return Statements(snapshot=None, not_available=problem)
        statements = Statements(snapshot=_take_snapshot(connection, state["schema_name"], top))
    if not state["sees_all"]:
        statements["not_available"] = (
            "Statements of other roles are hidden: an administrator can GRANT pg_read_all_stats"
        )
    return statements


@task(**STATISTICS, name="publish top statements")
def publish_top_statements() -> None:
    """Publish the last snapshot as a table artifact."""
    with warehouse() as connection:
        rows = run_sql(connection, "analytics/top_statements", top=ARTIFACT_ROWS)
    create_table_artifact(
        [dict(row) for row in rows], key="query-statistics", description="Statements by total time"
    )


def _unavailable_reason(state: RowMapping) -> str | None:
    if state["schema_name"] is None:
        return (
            "pg_stat_statements is not installed in this database: an administrator can run"
            " CREATE EXTENSION pg_stat_statements"
        )
    if not state["is_loaded"]:
        return "pg_stat_statements is not loaded: add it to shared_preload_libraries and restart"
    if not state["is_new_enough"]:
        return "pg_stat_statements is too old: ALTER EXTENSION pg_stat_statements UPDATE"
    return None


def _take_snapshot(connection: Connection, schema_name: str, top: int) -> Snapshot:
    run_sql(connection, "analytics/lock_query_counters")
    run_sql(connection, "analytics/search_statistics", schema_name=schema_name)
    row = run_sql(connection, "analytics/snapshot_statements", top=top)[0]
    return Snapshot(
        since=row["since"].isoformat() if row["since"] else None,
        statements=row["statements"],
        stored=row["stored"],
        calls=row["calls"],
        seconds=round(row["seconds"], 3),
    )


@flow(timeout_seconds=3600)
def update_query_statistics() -> QueryStatistics:
    """Run ANALYZE where needed, and snapshot the statements that take the most time."""
    relations = analyze_relations(settings().analytics_schemas)
    statements = snapshot_statements(settings().query_statistics_top)
    if statements["snapshot"]:
        publish_top_statements()
    for problem in relations["not_analyzed"]:
        get_run_logger().error("%s not analyzed: %s", problem["relation"], problem["reason"])
    status = status_of(
        succeeded=len(relations["analyzed"]) + bool(statements["snapshot"]),
        failed=len(relations["not_analyzed"]),
    )
    return {
        **flow_result(status, _summary_line(relations, statements)),
        "relations": relations,
        "statements": statements,
    }


def _summary_line(relations: Analyzed, statements: Statements) -> str:
    parts = [
        f"{len(relations['analyzed'])} relations analyzed, {relations['up_to_date']} up to date"
    ]
    if relations["not_analyzed"]:
        parts.append(f"{len(relations['not_analyzed'])} could not be analyzed")
    if snapshot := statements["snapshot"]:
        parts.append(f"{snapshot['calls']:,} calls took {snapshot['seconds']:,} s")
    if "not_available" in statements:
        parts.append(statements["not_available"])
    return "; ".join(parts)
