"""What must be true of a whole stack after something happened to its machine."""

import sqlite3
import urllib.request
from collections import Counter
from contextlib import closing
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from analytics_worker.prefect_support.deployments import deployed_flows
from analytics_worker.prefect_support.runs import submit
from tests.support.stack import RunningStack
from tests.support.wait_until import wait_until
from tests.support.warehouse_fixtures import query

VARIABLES = {"DBT_OPERATIONS": "as_of_date"}
"""Of the workers whose deployments must all succeed."""
# What deployments without defaults are asked for.
PARAMETERS: dict[str, dict[str, Any]] = {
    "trigger-alert": {
        "alert_data": {
            "id": 1,
            "name": "drill",
            "query": "select 0 as value",
            "threshold": 1,
            "operator": ">",
        }
    },
    "create-threshold-alert": {
        "threshold_data": {
            "id": "drill",
            "metric_name": "drill",
            "warning_threshold": 10,
            "critical_threshold": 5,
            "comparison_operator": "<",
        },
        "current_value": 4.25,
        "status": "critical",
    },
    "dbt-run-operation": {"macro": "as_of_date"},
    "generate-single-report": {
        "report_data": {"name": "drill", "query": "select 1 as one", "format": "csv"}
    },
    "generate-ad-hoc-report": {
        "report_config": {"name": "drill", "query": "select 1 as one", "format": "csv"}
    },
}
TERMINAL = "('COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED')"
SECONDS = 300
"""In which a deployment must work again: an open circuit breaker takes one or two minutes of them."""


def all_succeed() -> None:
    """Every deployment works, after any earlier failures."""
    for entry in deployed_flows():
        _succeeds(str(entry))


def _succeeds(deployment: str) -> None:
    failures: list[str] = []

    def works() -> bool:
        run = submit(deployment, **PARAMETERS.get(deployment.partition("/")[0], {}))
        wait_until(run.ready, 240, 0.3)
        state = run.state()
        failures.append(f"{deployment}: {state and state.name}: {state and state.message}")
        return run.successful()

    try:
        wait_until(works, SECONDS, 1)
    except AssertionError as error:
        raise AssertionError("\n".join(failures[-3:])) from error


def counters_equal_the_database(stack: RunningStack) -> None:
    """The exporter has counted each end of a run once."""
    wait_until(lambda: _counted(stack) == _ended(stack), 120, 0.5)


def _counted(stack: RunningStack) -> Counter[str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{stack.metrics_port}/metrics") as answer:
        families = text_string_to_metric_families(answer.read().decode())
    totals: Counter[str] = Counter()
    for sample in (s for family in families for s in family.samples):
        if sample.name == "analytics_flow_runs_total":
            totals[sample.labels["state"]] += int(sample.value)
    return +totals


def _ended(stack: RunningStack) -> Counter[str]:
    path = stack.state_dir / "prefect" / "prefect.db"
    statement = f"select name, count(*) from flow_run_state where type in {TERMINAL} group by 1"
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        return Counter(dict(connection.execute(statement).fetchall()))


MARKED = "select erasure_request_id from raw.erasure_requests where erasure_request_id >= 900000"


def mark(stack: RunningStack, rows: int) -> list[int]:
    """Add rows to a source: requests that are overdue. Which they are."""
    query(
        stack,
        "insert into raw.erasure_requests"
        " (erasure_request_id, account_id, requested_at, due_on, updated_at)"
        " select 900000 + account_id, account_id, now() - interval '60 days', current_date - 30,"
        f" now() from raw.accounts order by account_id limit {rows}",
    )
    return marked(stack)


def marked(stack: RunningStack) -> list[int]:
    """The rows that are there."""
    return sorted(number for (number,) in query(stack, MARKED))
