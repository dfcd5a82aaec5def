"""Compute statistics of flows and tasks over the last 24 hours, compared with the day before.

Reads the runs that ended within two days from the Prefect API; writes one row per day and flow or task
to ``ops.task_statistics`` and the artifact ``task-statistics``. Safe to repeat: a later run on the same
day replaces its rows.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from prefect import get_client

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.results import FlowResult, flow_result
from analytics_worker.prefect_support.retries import MONITORING
from analytics_worker.prefect_support.table_artifacts import create_table_artifact
from analytics_worker.prefect_support.task import task
from analytics_worker.settings import settings
from flows.monitoring.runs.ended_runs import ended_runs
from flows.monitoring.runs.statistics import Statistics, summarize, trend

WINDOW = timedelta(hours=24)


class TaskStatistics(FlowResult):
    """The result of `update_task_statistics`."""

    window_start: str
    window_end: str
    statistics: list[Statistics]


@task(**MONITORING, name="summarize runs")
def summarize_runs(until: datetime) -> list[Statistics]:
    """Summarize the runs of two days."""
    with get_client(sync_client=True) as client:
        runs = ended_runs(client, until - 2 * WINDOW, until)
    return summarize(runs, until - WINDOW)


@task(**MONITORING, name="store statistics")
def store(rows: list[Statistics], until: datetime) -> None:
    """Store all rows of the day in one statement."""
    with warehouse() as connection:
        run_sql(
            connection,
            "monitoring/upsert_statistics",
            rows=json.dumps(rows),
            window_start=until - WINDOW,
            window_end=until,
            days=settings().run_retention_days,
        )


@task(**MONITORING, name="publish statistics")
def publish_statistics(rows: list[Statistics]) -> None:
    """Publish the table as an artifact in the UI, lowest success rate first."""
    ordered = sorted(rows, key=lambda row: (row["kind"], _rate(row), row["name"]))
    create_table_artifact(
        [_table_row(row) for row in ordered],
        key="task-statistics",
        description="Flows and tasks over the last 24 hours, in seconds",
    )


@flow(timeout_seconds=600)
def update_task_statistics() -> TaskStatistics:
    """Count runs, retries, durations and waits of the last 24 hours, by flow and by task."""
    until = datetime.now(UTC)
    rows = summarize_runs(until)
    store(rows, until)
    publish_statistics(rows)
    return {
        **flow_result("success", _summary_line(rows)),
        "window_start": (until - WINDOW).isoformat(),
        "window_end": until.isoformat(),
        "statistics": rows,
    }


def _summary_line(rows: list[Statistics]) -> str:
    flows = [row for row in rows if row["kind"] == "flow"]
    total = sum(row["runs"] for row in flows)
    failed = sum(round(row["runs"] * (1 - _rate(row))) for row in flows)
    retries = sum(row["retries"] for row in rows)
    return (
        f"{total:,} runs of {len(flows)} flows in 24 h: {failed} did not succeed, {retries} retries"
    )


def _rate(row: Statistics) -> float:
    return 1.0 if row["success_rate"] is None else row["success_rate"]


def _table_row(row: Statistics) -> dict[str, Any]:
    """Return the columns, most important first: the UI shows the first ones without scrolling."""
    return {
        "name": row["name"],
        "runs": row["runs"],
        "success": f"{_rate(row):.1%}" if row["runs"] else "",
        "trend": trend(row),
        **{name: _seconds(value) for name, value in row["duration"].items()},
        "wait p95": _seconds(row["wait"]["p95"]),
        "retries": row["retries"],
        "states": ", ".join(f"{count} {name}" for name, count in sorted(row["states"].items())),
    }


def _seconds(value: Any) -> str:
    return "" if value is None else f"{value:.2f}"
