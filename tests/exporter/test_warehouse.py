"""Metrics from the worker's own tables, on a real PostgreSQL."""

import pytest
from sqlalchemy import text

from analytics_worker.database.connections import warehouse
from analytics_worker.exporter.collectors.alerts import DELIVERIES, STATES, Alerts
from analytics_worker.exporter.collectors.dbt import NODES, Dbt
from analytics_worker.exporter.collectors.reports import BYTES, ROWS, Reports
from analytics_worker.exporter.collectors.views import AGE, DURATION, Views
from analytics_worker.exporter.metric_families import Histogram

pytestmark = pytest.mark.usefixtures("environment")


def sql(*statements: str) -> None:
    with warehouse() as connection:
        for statement in statements:
            connection.execute(text(statement))


def collected(collector):
    """Samples by name of the family; of counters, those that counted something."""
    return {
        family.name: {
            labels: value for labels, value in samples.items() if value or family.kind == "gauge"
        }
        for family, samples in collector.collect()
    }


def deliver(number: int, status: str) -> str:
    return (
        "insert into ops.alert_deliveries (channel, recipient, message_id, payload, status)"
        f" values ('slack', 'slack', 'm{number}', '{{}}', '{status}')"
    )


def test_deliveries_are_counted_when_they_are_settled_and_never_lowered(store):
    sql(deliver(1, "sent"), deliver(2, "pending"), deliver(3, "failed"))
    alerts = Alerts(store)
    expected = {("slack", "sent"): 1.0, ("slack", "failed"): 1.0}
    assert collected(alerts)[DELIVERIES.name] == expected
    sql("update ops.alert_deliveries set status = 'sent' where status = 'pending'")
    assert collected(alerts)[DELIVERIES.name] == {**expected, ("slack", "sent"): 2.0}
    sql("delete from ops.alert_deliveries")
    assert collected(Alerts(store))[DELIVERIES.name] == {**expected, ("slack", "sent"): 2.0}


def test_states_of_alerts_are_shown_also_at_zero(store):
    sql(
        "insert into ops.alert_rules (kind, name, definition, every)"
        " values ('alert', 'a', '{}', '1 minute'), ('alert', 'b', '{}', '1 minute')",
        "insert into ops.alert_states (rule_id, status, since)"
        " select id, 'firing', now() from ops.alert_rules where name = 'a'",
    )
    states = collected(Alerts(store))[STATES.name]
    assert (states[("firing",)], states[("unknown",)], states[("ok",)]) == (1.0, 1.0, 0.0)


def test_nodes_of_dbt(store):
    sql(
        "insert into ops.dbt_runs (command, started_at, status) values ('run', now(), 'success')",
        "insert into ops.dbt_node_results (run_id, unique_id, resource_type, name, status)"
        " select id, n::text, 'model', n::text, case when n < 3 then 'success' else 'error' end"
        " from ops.dbt_runs, generate_series(1, 5) as n",
    )
    dbt = Dbt(store)
    expected = {("success",): 2.0, ("error",): 3.0}
    assert collected(dbt)[NODES.name] == expected
    sql("delete from ops.dbt_runs")
    assert collected(dbt)[NODES.name] == expected


def test_age_and_refreshes_of_a_view(store):
    sql(
        "insert into ops.catalog_relations (schema_name, relation_name, oid, kind, columns, status)"
        " values ('analytics', 'kpis', 1, 'materialized view', 1, 'active')",
        "insert into ops.refresh_log"
        " (schema_name, view_name, view_oid, status, reason, seconds, started_at, finished_at)"
        " values ('analytics', 'kpis', 1, 'success', 'x', 4.0, now() - interval '1 hour', now()),"
        " ('analytics', 'kpis', 1, 'failed', 'x', 1.0, now(), now())",
    )
    views = collected(Views(store))
    assert views[AGE.name][("analytics.kpis",)] == pytest.approx(3600, abs=60)
    duration = views[DURATION.name][("analytics.kpis",)]
    assert isinstance(duration, Histogram)
    assert (sum(duration.counts), duration.total) == (1.0, 4.0)
    sql(
        "insert into ops.refresh_log"
        " (schema_name, view_name, view_oid, status, reason, finished_at)"
        " values ('analytics', 'kpis', 1, 'unchanged', 'x', now())"
    )
    assert collected(Views(store))[AGE.name][("analytics.kpis",)] == pytest.approx(0, abs=60)


def test_rows_and_bytes_of_reports(store):
    sql(
        "insert into ops.report_runs (report, kind, period, definition, period_start, period_end,"
        " status, rows, bytes, finished_at)"
        " values ('weekly', 'scheduled', '2026-W47', '{}', now(), now(), 'ready', 10, 2000, now()),"
        " ('weekly', 'scheduled', '2026-W48', '{}', now(), now(), 'failed', 99, 99, now())"
    )
    reports = collected(Reports(store))
    assert reports[ROWS.name] == {("scheduled",): 10.0}
    assert reports[BYTES.name] == {("scheduled",): 2000.0}


def test_a_table_that_is_not_there_yet_has_no_rows(store):
    sql("drop table ops.report_runs cascade")
    assert collected(Reports(store)) == {ROWS.name: {}, BYTES.name: {}}
