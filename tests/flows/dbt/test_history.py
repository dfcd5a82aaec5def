"""The history of dbt runs in schema ops."""

import time
from datetime import UTC, datetime

import pytest
from prefect.logging import disable_run_logger
from sqlalchemy import text

from analytics_worker.database.connections import direct_connection, warehouse_url
from analytics_worker.prefect_support.results import flow_result
from flows.dbt._dbt_artifacts import DbtResult, NodeResult, summary_of
from flows.dbt._history import record_run
from tests.flows.dbt.seen import rows

pytestmark = pytest.mark.usefixtures("environment")
LONG_AGO = datetime(2030, 1, 1, tzinfo=UTC)


def result_of(count: int) -> DbtResult:
    nodes = [
        NodeResult(
            unique_id=f"model.p.m{number}",
            name=f"m{number}",
            resource_type="model",
            status="success",
            seconds=0.5,
            rows=None if number % 2 else number,
            message='it\'s \\ "quoted" 100 % äö',
        )
        for number in range(count)
    ]
    return DbtResult(
        **flow_result("success", "done"), summary=summary_of(nodes, 9), results=nodes, errors=[]
    )


def test_a_thousand_nodes_are_kept_in_less_than_two_seconds():
    started = time.monotonic()
    record_run("dbt run", ["--select", "a b", "{x,\"y'"], LONG_AGO, result_of(1000))
    assert time.monotonic() - started < 2

    (run,) = rows("select args, started_at, executed, seconds from ops.dbt_runs")
    assert dict(run) == {
        "args": ["--select", "a b", "{x,\"y'"],
        "started_at": LONG_AGO,
        "executed": 1000,
        "seconds": 9,
    }
    (kept,) = rows(
        "select count(*) as n, sum(rows_affected) as total, min(message) as message"
        " from ops.dbt_node_results"
    )
    assert (kept["n"], kept["total"]) == (1000, sum(range(0, 1000, 2)))
    assert kept["message"] == 'it\'s \\ "quoted" 100 % äö'


def test_a_run_without_nodes_is_kept_too():
    record_run("dbt run", [], LONG_AGO, result_of(0))
    assert rows("select executed from ops.dbt_runs") == [{"executed": 0}]


def test_that_nothing_can_be_kept_changes_nothing():
    with direct_connection(warehouse_url()) as connection:
        connection.execute(text("drop table ops.dbt_node_results"))
    with disable_run_logger():
        record_run("dbt run", [], LONG_AGO, result_of(2))
    assert rows("select * from ops.dbt_runs") == []
