"""Rules on a real database: states, history and outbox after each period."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from flows.alerts.evaluation import locking, runner
from flows.alerts.evaluation.runner import evaluate_due
from flows.alerts.rules.silence import silence
from tests.flows.alerts.rules import (
    METRIC,
    START,
    content,
    execute,
    metric,
    query,
    rule,
    store,
    tick,
    told,
)

pytestmark = pytest.mark.usefixtures("environment")


def test_a_value_rises_and_falls():
    store(rule(sql=METRIC))
    for number, value in enumerate([9, 11, 40, 9, 9]):
        metric(value)
        tick(number)
    assert told() == [("firing", "webhook"), ("resolved", "webhook")]
    message = content()
    assert message["subject"] == "[RESOLVED] r: over after 4m, worst value 40"
    assert message["json"]["duration"] == "4m"
    assert query("select status, value from ops.alert_evaluations order by slot") == [
        ("ok", 9), ("firing", 11), ("firing", 40), ("ok", 9), ("ok", 9),
    ]  # fmt: skip


def test_what_the_database_can_return_is_read_as_meant():
    store(
        rule("null", "select null::int as value"),
        rule("nan", "select 'NaN'::float8 as value"),
        rule("none", "select 1 as value where false"),
        rule("infinite", "select 'Infinity'::numeric as value"),
        rule("text", "select '12.5' as value"),
        rule("interval", "select interval '1 minute' as value"),
        rule("several", "select generate_series(1, 3) as value"),
        rule("words", "select 'abc' as value"),
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
    assert "'abc'" in errors["words"]
    assert "no column 'c'" in errors["column"]
    assert errors["broken"] == 'relation "analytics.nothing" does not exist (line 1 of the SQL)'
    assert errors["slow"] == "stopped after 1 s (timeout)"
    assert "more than 10 rows" in errors["many"]


def test_an_error_is_tried_again_within_the_run_and_told_to_the_owner_once():
    store(rule(sql=METRIC))
    tick(0)
    tick(1)
    assert query("select distinct attempts from ops.alert_evaluations") == [2]
    assert told() == [("error", "owner@example.com")]
    metric(11)
    tick(2)
    assert told()[1:] == [("error_resolved", "owner@example.com"), ("firing", "webhook")]


def test_a_rule_that_kills_its_connection_costs_the_others_nothing():
    store(
        rule("killer", "select pg_terminate_backend(pg_backend_pid())::int as value"),
        *(rule(f"other{n}") for n in range(20)),
    )
    assert (tick(0).errors, tick(1).evaluated) == (1, 21)
    assert query("select count(*) from ops.alert_status where status = 'firing'") == [20]


def test_a_period_is_evaluated_once_and_an_outage_is_not_made_up_for():
    store(rule())
    assert [tick(0).evaluated, tick(0).evaluated] == [1, 0]
    assert evaluate_due(["alert"], now=START + timedelta(seconds=119)).evaluated == 0
    assert tick(30).evaluated == 1, "an hour later: once, not thirty times"
    assert query("select count(*) from ops.alert_evaluations") == [2]


def test_many_runs_at_once_evaluate_each_rule_once():
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
    assert len(told()) == 300


def test_batch_after_batch_evaluates_each_rule_once(monkeypatch):
    """Two lanes share them; neither takes what the other has."""
    monkeypatch.setattr(runner, "BATCH", 7)
    monkeypatch.setattr(locking, "BATCH", 7)
    store(*(rule(f"r{n}") for n in range(50)))
    counts = tick(0)
    assert (counts.evaluated, counts.firing, counts.notices) == (50, 50, 50)
    assert query("select count(distinct rule_id) from ops.alert_evaluations") == [50]
    assert tick(0).evaluated == 0


def test_the_database_itself_refuses_a_second_evaluation_of_a_period():
    store(rule())
    tick(0)
    again = "insert into ops.alert_evaluations select (e).* from (select e from ops.alert_evaluations e) x"
    with pytest.raises(IntegrityError):
        execute(again)


def test_a_thousand_keys_make_one_message_with_the_worst_ten_and_a_count():
    sql = "select 'k' || n as k, n as value from generate_series(11, 1010) as n"
    store(rule(sql=sql, key_columns=["k"]))
    tick(0)
    assert query("select count(*) from ops.alert_states where status = 'firing'") == [1000]
    assert told() == [("firing", "webhook")]
    message = content()
    assert message["subject"] == "[CRITICAL] r: 1,000 keys, worst k1010 at 1,010"
    assert [item["key"] for item in message["json"]["worst"]] == [
        f"k{n}" for n in range(1010, 1000, -1)
    ]
    assert "… and 990 more" in message["text"]


def test_a_change_against_yesterday_is_taken_from_the_history():
    store(rule(sql=METRIC, measure="change_percent", compare_to="1d", operator="<", threshold=-5))
    for number, value in [(0, 100), (1, 99), (720, 96), (721, 93)]:
        metric(value)
        tick(number)
    assert query("select status from ops.alert_evaluations order by slot") == [
        "no_data", "no_data", "ok", "firing",
    ]  # fmt: skip


def test_a_silenced_rule_moves_and_says_nothing_until_the_silence_ends():
    store(rule())
    silence("r", timedelta(hours=1), "maintenance")
    execute(
        "update ops.alert_rules set silenced_until = :until", until=START + timedelta(minutes=10)
    )
    for number in range(5):
        tick(number)
    assert told() == []
    assert query("select status, told from ops.alert_states") == [("firing", None)]
    tick(5)
    assert told() == [("firing", "webhook")]


def test_each_recipient_gets_a_delivery_with_an_id_of_its_own():
    channels = ["webhook", {"email": ["a@example.com", "b@example.com"]}, "slack"]
    store(rule(channels=channels))
    tick(0)
    ids = query("select idempotency_key from ops.deliveries")
    assert len(set(ids)) == 4
    assert {r for _, r in told()} == {"webhook", "a@example.com", "b@example.com", "slack"}


def test_a_slow_rule_is_left_for_the_next_run_when_time_is_up():
    store(rule("slow", "select pg_sleep(2)::text, 1 as value", value="value"), rule("fast"))
    counts = evaluate_due(["alert"], now=START, budget=timedelta(seconds=0.01))
    assert counts.evaluated + counts.postponed <= 2
    assert evaluate_due(["alert"], now=START).evaluated == 2 - counts.evaluated
