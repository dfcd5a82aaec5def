"""A source that rules and reports read, dbt models that do, and what their flows know of them."""

import json

from analytics_worker.settings import settings
from flows.alerts.evaluation import reads as rule_reads
from flows.analytics.catalog import upsert_catalog
from flows.reports.scheduling import reads as report_reads
from tests.flows.alerts.rules import rule, store
from tests.flows.reports.reports import report, store_reports

REVENUE = "select sum(o.amount) as value from raw.orders as o where o.status = 'paid'"
OPENED = "opened [critical] columns of raw.orders"
RESOLVED = "resolved [resolved] columns of raw.orders"


def create_shop(sql):
    """A source with two rules and a report that name different columns of it."""
    sql(
        "create table raw.orders (id bigint not null, amount numeric, status text not null, note text)"
    )
    sql("grant select on raw.orders to analytics_reader")
    store(rule("revenue", REVENUE), rule("count", "select count(*) as value from raw.orders"))
    store_reports(report("weekly", "select status from raw.orders where :period_start is not null"))
    plan()
    see()
    sql("update ops.alert_rules set updated_at = now() - interval '9 days'")
    sql("update ops.report_definitions set updated_at = now() - interval '9 days'")


def plan():
    """Plan rules and reports, as their flows do every few minutes."""
    rule_reads.record_reads()
    report_reads.record_reads()


def see():
    """Refresh the catalog, as refresh-catalog does every five minutes."""
    upsert_catalog.fn(settings().analytics_schemas)


def last_text(sql):
    return sql("select content ->> 'text' from ops.messages order by position desc limit 1")[0][0]


def model(sql, name, relation, *, built="now() - interval '1 h'"):
    """A dbt model that reads a relation, as dbt's last run has it."""
    sql(
        "insert into ops.dbt_relations values ('p', 'analytics', %s, null, %s)",
        (name, json.dumps([relation])),
    )
    sql(
        "insert into ops.dbt_node_health (unique_id, database_name, schema_name, relation_name, project,"
        f" resource_type, name, status, built_at) values (%s, '', 'analytics', %s, 'p', 'model', %s, 'ok', {built})",
        (f"model.p.{name}", name, name),
    )
