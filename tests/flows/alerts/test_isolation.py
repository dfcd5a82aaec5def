"""One rule's values or errors stop, change and hide nothing of the other rules of its batch."""

import json

import pytest

from analytics_worker.circuit_breaker import db_circuit_breaker
from flows.alerts.evaluation import rule_evaluation
from flows.alerts.evaluation.observation import Failure
from flows.alerts.evaluation.queries import MAX_ERROR_LENGTH
from flows.alerts.evaluation.samples import key_label
from tests.flows.alerts.rules import rule, store, tick
from tests.support.attacks import attack
from tests.support.sql import execute, query

pytestmark = pytest.mark.usefixtures("environment")

OTHER_COLUMNS = {
    "a year beyond Python's": "date '20224-01-01'",
    "before Christ": "date '4000-01-01 BC'",
    "a long interval": "interval '10000000 years'",
    "infinity in an array": "array[date 'infinity']",
    "an infinite timestamp": "timestamptz '-infinity'",
    "midnight at the end": "time '24:00'",
    "deep jsonb": "(repeat('[', 3000) || repeat(']', 3000))::jsonb",
    "a huge number": "repeat('9', 100000)::numeric",
    "an empty range": "int4range(1, 1)",
    "a composite": "row(1, null, 'x')",
}
LONG_KEY = (
    "select 11 as value, string_agg(md5(i::text || {n}), '') as k from generate_series(1, 400) i"
)


@attack(
    by="data",
    what="One value in any column of a rule: dates and intervals that Python lacks, deep JSON, huge numbers",
    answer="the rule fires, or fails alone; the other rules are evaluated, the breaker stays closed",
)
@pytest.mark.parametrize("expression", OTHER_COLUMNS.values(), ids=list(OTHER_COLUMNS))
def test_an_odd_value_is_its_rule_s_own(expression):
    store(rule("odd", f"select 11 as value, {expression} as other"), rule("well"))
    assert tick(0).evaluated == 2
    assert statuses()["well"] == "firing"
    assert statuses()["odd"] == "firing"
    assert db_circuit_breaker.fail_counter == 0


def statuses() -> dict[str, str]:
    return dict(
        query(
            "select array[rule.name, evaluation.status] from ops.alert_evaluations as evaluation"
            " inner join ops.alert_rules as rule on rule.id = evaluation.rule_id"
        )
    )


@attack(
    by="data",
    what="A key longer than an entry of an index: 12,800 characters in a name of a CRM",
    answer="the rule fires for it, different long keys stay different, the other rules are evaluated",
)
def test_long_keys_are_cut_and_stay_different():
    sql = f"{LONG_KEY.format(n=1)} union all {LONG_KEY.format(n=2)}"
    store(rule("keys", sql, key_columns=["k"], value="value"), rule("well"))
    assert tick(0).firing == 2
    assert tick(1).firing == 2
    keys = query("select key from ops.alert_states where key <> ''")
    assert len({key_label(key) for key in keys}) == len(keys) == 2
    assert all("… #" in key for key in keys)


@attack(
    by="data",
    what="A key that imitates the shortened form of another one's long key",
    answer="both keep states of their own",
)
def test_a_shortened_key_can_not_be_imitated():
    store(rule("keys", LONG_KEY.format(n=1), key_columns=["k"], value="value"))
    tick(0)
    ((imitated,),) = [json.loads(key) for key in query("select key from ops.alert_states")]
    sql = f"{LONG_KEY.format(n=1)} union all select 11, '{imitated}'"
    store(rule("keys", sql, key_columns=["k"], value="value"), rule("well"))
    assert tick(1).errors == 0
    assert len(query("select key from ops.alert_states where key <> ''")) == 2


@attack(
    by="author",
    what="SQL that fails with a message of 300 kB",
    answer="the rule's error is cut; the others are evaluated and notified",
)
def test_a_long_error_is_cut():
    store(rule("long", "select repeat('x', 300000)::int as value"), rule("well"))
    counts = tick(0)
    assert (counts.errors, counts.firing) == (1, 1)
    (error,) = query("select error from ops.alert_evaluations where error is not null")
    assert len(error) == MAX_ERROR_LENGTH


def test_what_the_database_refuses_is_its_rule_s_own():
    store(rule("refused"), rule("well"))
    (refused,) = query("select id from ops.alert_rules where name = 'refused'")
    execute(
        "create function analytics.refuse() returns trigger language plpgsql as $$ begin"
        " raise exception 'no state of this rule'; end $$;"
        " create trigger refuse before insert on ops.alert_states for each row"
        f" when (new.rule_id = {refused}) execute function analytics.refuse()"
    )
    counts = tick(0)
    assert (counts.evaluated, counts.errors, counts.firing) == (2, 1, 1)
    assert statuses() == {"refused": "error", "well": "firing"}
    (error,) = query("select error from ops.alert_evaluations where error is not null")
    assert "can't be stored" in error
    assert "no state of this rule" in error


def test_a_rule_of_which_nothing_can_be_stored_stays_due():
    store(rule("refused"), rule("well"))
    (refused,) = query("select id from ops.alert_rules where name = 'refused'")
    execute(
        "create function analytics.refuse() returns trigger language plpgsql as $$ begin"
        " raise exception 'no evaluation of this rule'; end $$;"
        " create trigger refuse before insert on ops.alert_evaluations for each row"
        f" when (new.rule_id = {refused}) execute function analytics.refuse()"
    )
    counts = tick(0)
    assert (counts.evaluated, counts.errors, counts.firing) == (2, 1, 1)
    assert statuses() == {"well": "firing"}
    execute("drop trigger refuse on ops.alert_evaluations")
    assert tick(1).firing == 2


def test_an_unexpected_error_is_its_rule_s_own(monkeypatch: pytest.MonkeyPatch):
    apply = rule_evaluation.apply_evaluation

    def failing(rule, before, health, observation, *args, **options):
        if rule.name == "odd" and not isinstance(observation, Failure):
            raise RecursionError("too deep")
        return apply(rule, before, health, observation, *args, **options)

    monkeypatch.setattr(rule_evaluation, "apply_evaluation", failing)
    store(rule("odd"), rule("well"))
    counts = tick(0)
    assert (counts.evaluated, counts.errors, counts.firing) == (2, 1, 1)
    assert query("select error from ops.alert_evaluations where error is not null") == [
        "RecursionError: too deep"
    ]
