"""Metrics from the worker's own tables, on a real PostgreSQL."""

import pytest
from psycopg2 import OperationalError
from sqlalchemy import text

from analytics_worker.database.connections import warehouse
from analytics_worker.exporter.collectors.alerts import STATES, UNNOTIFIED, Alerts
from analytics_worker.exporter.collectors.dbt import NODES, SLOWEST, SLOWING, TESTS, Dbt
from analytics_worker.exporter.collectors.deliveries import (
    ALERTS,
    NOT_CONFIGURED,
    OLDEST,
    PAUSED,
    SETTLED,
    UNREPORTED,
    WAITING,
    Deliveries,
)
from analytics_worker.exporter.collectors.reports import BYTES, ROWS, Reports
from analytics_worker.exporter.collectors.views import AGE, DURATION, Views
from analytics_worker.exporter.metric_families import Histogram
from analytics_worker.exporter.ops_reader import one_connection, rows
from tests.support.trust_records import data_test
from tests.support.wait_until import wait_until

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


def enqueue(domain: str) -> None:
    sql(
        "insert into ops.messages (domain, kind, content)"
        f" values ('{domain}', 'firing', '{{\"subject\": \"s\"}}')"
    )


def deliver(number: int, status: str, channel: str = "slack") -> str:
    return (
        "insert into ops.deliveries (message_id, domain, position, channel, recipient,"
        " idempotency_key, status) select id, domain, position,"
        f" '{channel}', '{channel}', 'm{number}', '{status}' from ops.messages"
        " order by position desc limit 1"
    )


def test_deliveries_are_counted_when_they_are_settled_and_never_lowered(store):
    enqueue("alerts")
    sql(deliver(1, "sent"), deliver(2, "pending"), deliver(3, "failed"), deliver(4, "cancelled"))
    deliveries = Deliveries(store)
    expected = {("slack", "sent"): 1.0, ("slack", "failed"): 1.0, ("slack", "skipped"): 1.0}
    assert collected(deliveries)[ALERTS.name] == expected
    sql("update ops.deliveries set status = 'digested' where status = 'pending'")
    counted = collected(deliveries)
    assert counted[ALERTS.name] == {**expected, ("slack", "sent"): 2.0}
    assert counted[SETTLED.name] == {
        ("alerts", "slack", "sent"): 2.0,
        ("alerts", "slack", "failed"): 1.0,
        ("alerts", "slack", "cancelled"): 1.0,
    }
    sql("delete from ops.deliveries")
    assert collected(Deliveries(store))[ALERTS.name] == {**expected, ("slack", "sent"): 2.0}


def test_what_is_sent_again_on_request_is_counted_again(store):
    enqueue("reports")
    sql(deliver(1, "sent"))
    deliveries = Deliveries(store)
    assert collected(deliveries)[SETTLED.name] == {("reports", "slack", "sent"): 1.0}
    sql("update ops.deliveries set queued_at = now() + interval '1 second'")
    counted = collected(deliveries)
    assert counted[SETTLED.name] == {("reports", "slack", "sent"): 2.0}
    assert counted[ALERTS.name] == {}


def test_what_waits_is_shown_by_domain_and_channel(store):
    enqueue("reports")
    sql(deliver(1, "pending"), deliver(2, "sending"), deliver(3, "sent"))
    enqueue("monitoring")
    sql(
        deliver(4, "pending", "email"),
        "update ops.deliveries set queued_at = now() - interval '1 hour' where channel = 'email'",
        "insert into ops.delivery_channels (channel, paused_until)"
        " values ('slack', now() + interval '1 hour'), ('webhook', now() - interval '1 hour')",
        "insert into ops.delivery_channels (channel, not_configured_since) values ('email', now())",
    )
    shown = collected(Deliveries(store))
    assert shown[WAITING.name] == {("reports", "slack"): 2.0, ("monitoring", "email"): 1.0}
    assert shown[OLDEST.name][("monitoring", "email")] == pytest.approx(3600, abs=60)
    assert shown[PAUSED.name] == {("slack",): 1.0, ("webhook",): 0.0, ("email",): 0.0}
    assert shown[NOT_CONFIGURED.name] == {("slack",): 0.0, ("webhook",): 0.0, ("email",): 1.0}


def test_notices_that_reached_nobody_are_counted(store):
    enqueue("reports")
    assert collected(Deliveries(store))[UNREPORTED.name] == {}
    sql("update ops.messages set unheard_at = now()")
    assert collected(Deliveries(store))[UNREPORTED.name] == {("reports",): 1.0}


def test_states_of_alerts_are_shown_also_at_zero():
    sql(
        "insert into ops.alert_rules (kind, name, definition, every)"
        " values ('alert', 'a', '{}', '1 minute'), ('alert', 'b', '{}', '1 minute')",
        "insert into ops.alert_states (rule_id, status, since)"
        " select id, 'firing', now() from ops.alert_rules where name = 'a'",
    )
    sql("update ops.alert_states set severity = 'critical'")
    shown = collected(Alerts())
    assert shown[UNNOTIFIED.name] == {(): 1.0}
    states = shown[STATES.name]
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


def test_only_the_slowest_and_slowing_nodes_of_dbt_are_labels(store):
    sql(
        "insert into ops.dbt_runs (command, started_at, status)"
        " values ('dbt run', now(), 'success'), ('dbt run', now() - interval '2 days', 'success')",
        "insert into ops.dbt_node_results"
        " (run_id, unique_id, resource_type, name, status, seconds, usual_seconds)"
        " select id, 'm' || n, 'model', 'm', 'success', n, case when n < 11 then 1 else n end"
        " from ops.dbt_runs, generate_series(1, 30) as n where started_at > now() - interval '1 day'",
        "insert into ops.dbt_node_results (run_id, unique_id, resource_type, name, status, seconds)"
        " select id, 'old', 'model', 'old', 'success', 99"
        " from ops.dbt_runs where started_at < now() - interval '1 day'",
    )
    shown = collected(Dbt(store))
    assert shown[SLOWEST.name] == {(f"m{n}",): float(n) for n in range(21, 31)}
    assert shown[SLOWING.name] == {(f"m{n}",): float(n) for n in range(6, 11)}


def test_tests_of_dbt_are_counted_by_their_last_result(store):
    assert collected(Dbt(store))[TESTS.name] == {}
    data_test("a", ("raw", "orders"))
    data_test("b", ("raw", "orders"), status="failing")
    data_test("c", ("raw", "orders"), warned=True)
    sql(
        "insert into ops.dbt_node_health (unique_id, schema_name, relation_name, project, target, resource_type,"
        " name, status) select unique_id, 'prod', relation_name, project, 'prod', resource_type, name, 'ok'"
        " from ops.dbt_node_health where name = 'b'"
    )
    expected = {("passed",): 1.0, ("warned",): 1.0, ("failed",): 1.0}
    assert collected(Dbt(store))[TESTS.name] == expected


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


CONNECTIONS = "select pid from pg_stat_activity where application_name = 'analytics-exporter'"


def connections() -> set[int]:
    with warehouse() as connection:
        return set(connection.execute(text(CONNECTIONS)).scalars())


def test_the_statements_of_a_poll_share_a_connection_also_after_one_was_lost():
    with one_connection():
        list(rows("channels"))
        first = connections()
        sql("drop table ops.alert_states cascade")
        assert list(rows("alert_states")) == []
        list(rows("waiting_deliveries"))
        assert connections() == first
        assert len(first) == 1
        sql(f"select pg_terminate_backend({first.pop()}, 10000)")
        with pytest.raises(OperationalError):
            list(rows("channels"))
        list(rows("channels"))
        assert len(connections()) == 1
    wait_until(lambda: not connections())


def test_a_table_that_is_not_there_yet_has_no_rows(store):
    sql("drop table ops.report_runs cascade")
    assert collected(Reports(store)) == {ROWS.name: {}, BYTES.name: {}}
