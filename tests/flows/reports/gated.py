"""A report with requirements, and the state of what it reads, as the domains store it."""

import json
from typing import Any

from flows.reports.definitions.model import Report
from tests.flows.reports.reports import report
from tests.support.sql import execute

TESTS_PASSED = {"tests": "passed"}


def gated(name: str = "sales", **fields: Any) -> Report:
    sql = fields.pop("sql", "select n from analytics.orders")
    return report(name, sql, **{"requires": TESTS_PASSED, **fields})


def create_orders(name: str = "orders") -> None:
    execute(f'create table analytics."{name}" as select 1 as n')
    execute(f'grant select on analytics."{name}" to analytics_reader')


def dbt_test(status: str, name: str = "unique_orders", of: str = "orders") -> None:
    """Store the result of a dbt test of a relation: ok, warning or failing."""
    warned = "now()" if status == "warning" else "null"
    execute(
        "insert into ops.dbt_node_health (unique_id, schema_name, relation_name, project, resource_type, name,"
        " status, since, last_result_at, warned_since)"
        " values ('test.p.' || :name, 'audit', :name, 'p', 'test', :name, :status, now(), now(),"
        f" {warned}) on conflict (unique_id, database_name, schema_name, relation_name) do update set"
        " status = excluded.status, last_result_at = now(), warned_since = excluded.warned_since",
        name=name,
        status="ok" if status == "warning" else status,
    )
    execute(
        "insert into ops.unit_reads (kind, name, relations) values ('dbt', 'test.p.' || :name, cast(:of as jsonb))"
        " on conflict do nothing",
        name=name,
        of=json.dumps([["analytics", of]]),
    )


def due_again(hours: int = 48) -> None:
    """Move the clock: the runs were due so long ago that their reports are due again."""
    execute(
        "update ops.report_runs set due_at = now() - make_interval(hours => :hours)", hours=hours
    )
