"""Keys whose row is missing: resolved, without data or kept, and ended after the retention."""

from datetime import timedelta
from typing import Any

import pytest

from flows.alerts.evaluation.observation import Failure
from flows.alerts.rules.model import Rule
from tests.support.alert_run import Run, rule

A, B = '["a"]', '["b"]'
HAVING = "select k, count(*) as value from t group by k having count(*) > 10"
FILTERED = "select k, value from t where value > 10 -- having"


def keyed(sql: str = FILTERED, **fields: Any) -> Rule:
    return rule(sql=sql, key_columns=["k"], **fields)


def evaluate_all(run: Run, *keys: str) -> list[list[str]]:
    """Evaluate rows with a bad value for these keys."""
    return [run.evaluate(dict.fromkeys((f'["{key}"]' for key in each), 11.0)) for each in keys]


@pytest.mark.parametrize(
    "of", [keyed(HAVING), keyed(on_missing_key="resolve"), keyed(HAVING.upper())]
)
def test_a_missing_key_is_resolved_after_two_evaluations(of):
    run = Run(of)
    assert evaluate_all(run, "ab", "b", "ab", "b", "b") == [["firing"], [], [], [], ["resolved"]]
    assert list(run.states) == [B]
    assert evaluate_all(run, "", "") == [[], ["resolved"]]
    assert run.states == {}


def test_an_error_is_not_an_evaluation_without_the_key():
    run = Run(keyed(HAVING))
    evaluate_all(run, "a", "")
    assert run.evaluate(Failure("x")) == ["error"]
    assert evaluate_all(run, "a", "") == [["error_resolved"], []]
    assert list(run.states) == [A]


def test_a_pending_key_that_is_missing_ends_without_a_notification():
    run = Run(keyed(HAVING, **{"for": "4m"}))
    assert evaluate_all(run, "a", "", "", "a") == [[], [], [], []]
    assert run.states[A].status == "pending"


@pytest.mark.parametrize("of", [keyed(), keyed(HAVING, on_missing_key="no_data")])
def test_a_missing_key_has_no_data_by_default_or_if_the_rule_says_so(of):
    run = Run(of.model_copy(update={"no_data_after": timedelta(minutes=4)}))
    assert evaluate_all(run, "a", "", "", "", "", "a") == [
        ["firing"], [], [], ["no_data"], [], ["firing_again"],
    ]  # fmt: skip


def test_a_missing_key_can_be_kept():
    run = Run(keyed(on_missing_key="keep"))
    assert evaluate_all(run, "ab", *["b"] * 60) == [["firing"], *[[]] * 60]
    assert run.states[A].status == "firing"


def test_on_empty_decides_if_it_is_set():
    run = Run(keyed(HAVING, on_empty="ok"))
    assert evaluate_all(run, "ab", "b") == [["firing"], ["resolved"]]
    assert list(run.states) == [B]


def test_a_counted_key_without_rows_is_zero():
    run = Run(keyed(measure="rows"))
    assert evaluate_all(run, "a") == [["firing"]]
    assert run.evaluate({}) == ["resolved"]


@pytest.mark.parametrize("status", ["keep", "no_data"])
def test_a_key_without_a_row_for_the_retention_ends_and_those_notified_are_notified(status):
    run = Run(keyed(on_missing_key=status, no_data_after="1d"))
    for each in ("ab", "b", "b"):
        evaluate_all(run, each)
    assert run.evaluate({B: 11.0}, retention=timedelta(minutes=6)) == []
    assert run.evaluate({B: 11.0}, retention=timedelta(minutes=6)) == ["ended"]
    assert list(run.notification.states) == [A]
    assert list(run.states) == [B]


def test_a_key_that_returns_starts_the_retention_anew():
    run = Run(keyed(on_missing_key="keep"))
    evaluate_all(run, "ab", "b", "b", "ab", "b")
    assert run.evaluate({B: 11.0}, retention=timedelta(minutes=6)) == []


def test_resolved_keys_that_are_missing_are_removed():
    run = Run(rule(key_columns=["k"], on_empty="ok"))
    run.evaluate({'["a"]': 11.0, '["b"]': 1.0})
    assert run.evaluate({}) == ["resolved"]
    assert run.states == {}


def test_keys_of_an_earlier_definition_are_resolved():
    """The rule of an event may come back with other key columns."""
    run = Run(keyed())
    evaluate_all(run, "a")
    run.rule = rule()
    assert run.evaluate(9) == ["resolved"]
    assert list(run.states) == [""]
    run.rule = keyed()
    assert evaluate_all(run, "a") == [["firing"]]
    assert list(run.states) == [A]
