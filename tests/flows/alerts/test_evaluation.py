"""Evaluation of rules on a real database: states, history and outbox after each period."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from analytics_worker.database.connections import warehouse
from analytics_worker.settings import settings
from flows.alerts.evaluation import locking, runner
from flows.alerts.evaluation.reads import record_reads
from flows.alerts.evaluation.runner import evaluate_due
from flows.alerts.rules.silence import Matcher, silence
from flows.monitoring.incidents.update import update_incidents
from tests.flows.alerts.rules import (
    METRIC,
    START,
    deliveries,
    execute,
    last_content,
    query,
    rule,
    set_metric,
    store,
    store_events,
    tick,
)

pytestmark = pytest.mark.usefixtures("environment")


def test_an_alert_fires_and_resolves():
    store(rule(sql=METRIC))
    for number, value in enumerate([9, 11, 40, 9, 9]):
        set_metric(value)
        tick(number)
    assert deliveries() == [("firing", "webhook"), ("resolved", "webhook")]
    message = last_content()
    assert message["subject"] == "[RESOLVED] r: resolved after 4m (worst 40)"
    assert message["json"]["duration"] == "4m"
    assert query("select status, value from ops.alert_evaluations order by slot") == [
        ("ok", 9), ("firing", 11), ("firing", 40), ("ok", 9), ("ok", 9),
    ]  # fmt: skip


def test_samples_of_all_kinds_of_results():
    store(
        rule("null", "select null::int as value"),
        rule("nan", "select 'NaN'::float8 as value"),
        rule("none", "select 1 as value where false"),
        rule("infinite", "select 'Infinity'::numeric as value"),
        rule("text", "select '12.5' as value"),
        rule("interval", "select interval '1 minute' as value"),
        rule("several", "select generate_series(1, 3) as value"),
        rule("letters", "select 'abc' as value"),
        rule("column", "select 1 as a, 2 as b", value="c"),
        rule("broken", "select value from analytics.nothing"),
        rule("slow", "select count(*) as value from generate_series(1, 1e12)", timeout="1s"),
        rule("many", "select generate_series(1, 50) as value", row_cap=10, reduce="max"),
        rule("bound", "select :a::int + :b::int as value", parameters={"a": 5, "b": 6}),
    )
    counts = tick(0)
    assert (counts.evaluated, counts.errors, counts.firing) == (13, 6, 4)
    states = dict(query("select name, status from ops.alert_status"))
    assert {states.pop(name) for name in ("null", "nan", "none")} == {"no_data"}
    assert {states.pop(name) for name in ("infinite", "text", "interval", "bound")} == {"firing"}
    assert set(states.values()) == {"error"}
    errors = dict(query("select name, error from ops.alert_status where error is not null"))
    assert "add reduce" in errors["several"]
    assert "'abc'" in errors["letters"]
    assert "no column 'c'" in errors["column"]
    assert errors["broken"] == 'relation "analytics.nothing" does not exist (line 1 of the SQL)'
    assert errors["slow"] == "stopped after 1 s (timeout)"
    assert "more than 10 rows" in errors["many"]


def test_a_failed_query_is_retried_in_the_run_and_its_owner_is_notified_once():
    store_events(rule(sql=METRIC))
    tick(0)
    tick(1)
    assert query("select distinct attempts from ops.alert_evaluations") == [2]
    assert deliveries() == [("error", "owner@example.com")]
    set_metric(11)
    tick(2)
    assert deliveries()[1:] == [("error_resolved", "owner@example.com"), ("firing", "webhook")]


def test_a_dropped_table_is_one_incident_of_the_rules_that_read_it():
    store(rule(sql=METRIC), rule("other", sql=METRIC, owner="ann@example.com"))
    set_metric(9)
    tick(0)
    assert record_reads() == 2
    assert record_reads() == 0
    assert query("select relations::text from ops.unit_reads where name = 'r'") == [
        '[["analytics", "metric"]]'
    ]
    execute("drop table analytics.metric")
    tick(1)
    assert (deliveries(), update()) == ([], ["analytics.metric opened"])
    assert sorted(deliveries()) == [
        ("incident_opened", "ann@example.com"),
        ("incident_opened", "owner@example.com"),
    ], "the table has no owner, and there is no default channel"
    assert query("select name from ops.alert_status where untold") == []
    set_metric(9)
    tick(2)
    assert update() == ["analytics.metric resolved"]


def test_a_rule_that_cannot_be_planned_does_not_affect_the_others(monkeypatch):
    """Neither by an error of its own, nor by the server of its reader."""
    monkeypatch.setenv("READER_DATABASE_URLS", '{"away": "postgresql://a:b@127.0.0.1:1/kpis"}')
    settings.cache_clear()
    store(rule("a", sql=METRIC), rule("b", sql=METRIC, reader="away"), rule("c{x}", sql=METRIC))
    execute("update ops.alert_rules set definition = '{}' where name = 'a'")
    set_metric(9)
    assert record_reads() == 3
    known = "select name from ops.unit_reads where relations <> '[]'"
    assert query(known) == ["c{x}"]


def test_what_a_rule_reads_is_looked_up_once_a_day():
    store(rule(sql=METRIC))
    set_metric(9)
    assert record_reads() == 1
    execute("update ops.unit_reads set updated_at = now() - interval '25 hours'")
    assert [record_reads(), record_reads()] == [1, 0]


def update() -> list[str]:
    with warehouse() as connection:
        return update_incidents(connection, datetime.now(UTC)).changes


def test_a_rule_that_kills_its_connection_does_not_affect_the_others():
    store(
        rule("killer", "select pg_terminate_backend(pg_backend_pid())::int as value"),
        *(rule(f"other{n}") for n in range(20)),
    )
    assert (tick(0).errors, tick(1).evaluated) == (1, 21)
    assert query("select count(*) from ops.alert_status where status = 'firing'") == [20]


def test_a_period_is_evaluated_once_and_missed_periods_are_skipped():
    store(rule())
    assert [tick(0).evaluated, tick(0).evaluated] == [1, 0]
    assert evaluate_due(["alert"], now=START + timedelta(seconds=119)).evaluated == 0
    assert tick(30).evaluated == 1, "an hour later: once, not thirty times"
    assert query("select count(*) from ops.alert_evaluations") == [2]


def test_concurrent_runs_evaluate_each_rule_once():
    store(*(rule(f"r{n}") for n in range(300)))
    counts: list[int] = []
    runs = [threading.Thread(target=lambda: counts.append(tick(0).evaluated)) for _ in range(4)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert sum(counts) == 300
    assert query("select count(*), count(distinct rule_id) from ops.alert_evaluations") == [
        (300, 300)
    ]
    assert len(deliveries()) == 300


def test_several_batches_evaluate_each_rule_once(monkeypatch):
    """Two threads run batches; no rule is in both."""
    monkeypatch.setattr(runner, "BATCH_SIZE", 7)
    monkeypatch.setattr(locking, "BATCH_SIZE", 7)
    store(*(rule(f"r{n}") for n in range(50)))
    counts = tick(0)
    assert (counts.evaluated, counts.firing, counts.notifications) == (50, 50, 50)
    assert query("select count(distinct rule_id) from ops.alert_evaluations") == [50]
    assert tick(0).evaluated == 0


def test_the_database_rejects_a_second_evaluation_of_a_period():
    store(rule())
    tick(0)
    duplicate = "insert into ops.alert_evaluations select (e).* from (select e from ops.alert_evaluations e) x"
    with pytest.raises(IntegrityError):
        execute(duplicate)


def test_a_thousand_keys_have_one_message_with_the_worst_ten_and_a_count():
    sql = "select 'k' || n as k, n as value from generate_series(11, 1010) as n"
    store(rule(sql=sql, key_columns=["k"]))
    tick(0)
    assert query("select count(*) from ops.alert_states where status = 'firing'") == [1000]
    assert deliveries() == [("firing", "webhook")]
    message = last_content()
    assert message["subject"] == "[CRITICAL] r: 1,000 keys, worst k1010 at 1,010"
    assert [item["key"] for item in message["json"]["worst"]] == [
        f"k{n}" for n in range(1010, 1000, -1)
    ]
    assert "… and 990 more" in message["text"]


def test_a_change_since_yesterday_is_computed_from_the_history():
    store(rule(sql=METRIC, measure="change_percent", compare_to="1d", operator="<", threshold=-5))
    for number, value in [(0, 100), (1, 99), (720, 96), (721, 93)]:
        set_metric(value)
        tick(number)
    assert query("select status from ops.alert_evaluations order by slot") == [
        "no_data", "no_data", "ok", "firing",
    ]  # fmt: skip


def test_a_silenced_rule_is_evaluated_and_notified_when_the_silence_ends():
    store(rule())
    silence(Matcher("r"), timedelta(hours=1), "maintenance")
    execute("update ops.alert_silences set until = :until", until=START + timedelta(minutes=10))
    for number in range(5):
        tick(number)
    assert deliveries() == []
    assert query("select status, told from ops.alert_states") == [("firing", None)]
    tick(5)
    assert deliveries() == [("firing", "webhook")]


def test_each_recipient_has_a_delivery_with_its_own_id():
    channels = ["webhook", {"email": ["a@example.com", "b@example.com"]}, "slack"]
    store(rule(channels=channels))
    tick(0)
    ids = query("select idempotency_key from ops.deliveries")
    assert len(set(ids)) == 4
    assert {recipient for _, recipient in deliveries()} == {
        "webhook",
        "a@example.com",
        "b@example.com",
        "slack",
    }


def test_a_rule_is_postponed_to_the_next_run_when_the_budget_is_used_up():
    store(rule("slow", "select pg_sleep(2)::text, 1 as value", value="value"), rule("fast"))
    counts = evaluate_due(["alert"], now=START, budget=timedelta(seconds=0.01))
    assert counts.evaluated + counts.postponed <= 2
    assert evaluate_due(["alert"], now=START).evaluated == 2 - counts.evaluated
