"""update_task_statistics counts every run once and compares with the day before."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prefect import get_client, task

from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.results import flow_result
from flows.monitoring import update_task_statistics
from flows.monitoring.runs.ended_runs import EndedRun, ended_runs
from flows.monitoring.runs.statistics import percentile, summarize, trend
from tests.support.wait_until import wait_until

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


BASE = EndedRun(
    kind="flow",
    name="f/p",
    state="Completed",
    completed=True,
    retries=0,
    ended_at=NOW,
    duration_seconds=1,
    wait_seconds=0,
)


def ended(hours_ago: float, **values: Any) -> EndedRun:
    return replace(BASE, ended_at=NOW - timedelta(hours=hours_ago), **values)


def row(*runs: EndedRun):
    (only,) = summarize(runs, NOW - timedelta(hours=24))
    return only


def test_each_run_belongs_to_its_day():
    statistics = row(ended(1), ended(23.9), ended(24.1), ended(47))
    assert (statistics["runs"], statistics["runs_before"]) == (2, 2)


def test_states_success_and_retries_are_counted():
    failed = {"state": "Partial", "completed": False, "retries": 2}
    statistics = row(ended(1), ended(2, state="Skipped"), ended(3, **failed), ended(4, **failed))
    assert statistics["states"] == {"Completed": 1, "Skipped": 1, "Partial": 2}
    assert (statistics["success_rate"], statistics["retries"]) == (0.5, 4)


@pytest.mark.parametrize(
    ("values", "p50", "p95"),
    [([3.0], 3, 3), ([float(n) for n in range(1, 101)], 50, 95), ([1.0, 2.0], 1, 2)],
)
def test_percentiles_are_values_that_occurred(values, p50, p95):
    assert (percentile(values, 50), percentile(values, 95)) == (p50, p95)


def test_without_runs_there_is_no_percentile():
    assert percentile([], 50) is None
    assert row(ended(30))["duration"] == {"p50": None, "p95": None, "max": None}


@pytest.mark.parametrize(
    ("runs", "text"),
    [
        ([ended(1)], "new"),
        ([ended(30)], "no runs"),
        ([ended(1), ended(30)], "steady"),
        ([ended(1), ended(30, completed=False)], "▲ success +100.0 points"),
        ([ended(1, completed=False), ended(30)], "▼ success -100.0 points"),
        ([ended(1, duration_seconds=3), ended(30)], "▼ slower +200%"),
        ([ended(1, duration_seconds=0.5), ended(30)], "▲ faster -50%"),
    ],
)
def test_the_trend_is_described(runs, text):
    assert trend(row(*runs)) == text


attempts: list[int] = []


@task(retries=1, retry_delay_seconds=0)
def shaky() -> None:
    attempts.append(1)
    if len(attempts) % 2:
        raise ValueError("the first attempt fails")


@flow(timeout_seconds=30)
def counted_by_the_statistics(status: str):
    """Retry once and report."""
    shaky()
    return flow_result(status, "done")  # pyright: ignore[reportArgumentType]


@pytest.mark.usefixtures("environment", "prefect_api")
def test_runs_of_the_server_are_counted_and_stored_once_a_day(sql):
    since = datetime.now(UTC)
    for status in ("success", "skipped", "failed"):
        counted_by_the_statistics(status, return_state=True)

    def counted() -> list[EndedRun]:
        with get_client(sync_client=True) as client:
            runs = ended_runs(client, since, datetime.now(UTC) + timedelta(seconds=5))
        return [run for run in runs if "counted-by" in run.name]

    wait_until(lambda: len(counted()) == 6, timeout=30, interval=0.2)
    update_task_statistics()
    update_task_statistics()
    rows = sql(
        "select kind, name, runs, states, retries, round(success_rate::numeric, 2)::float"
        " from ops.task_statistics where name like 'counted-by%' order by kind"
    )
    name = "counted-by-the-statistics"
    states = {"Completed": 1, "Skipped": 1, "Failed": 1}
    assert rows == [
        ("flow", name, 3, states, 0, 0.67),
        ("task", f"{name}: shaky", 3, {"Completed": 3}, 3, 1.0),
    ]
