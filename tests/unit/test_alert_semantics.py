"""What is true of an alert, case by case; what its readers are told: test_alert_notices.

That a failing SQL is tried again within its run needs a database: tests/flows/alerts/test_evaluation.
"""

import math

import pytest

from analytics_worker.database.reader_sessions import QueryRows
from flows.alerts.evaluation.samples import ReadingError, number, readings
from flows.alerts.evaluation.transition import Failure, Given
from tests.support.alert_run import START, TICK, Run, rule


def test_a_condition_fires_at_once_without_for():
    run = Run(rule())
    assert run.see(11) == ["firing"]
    assert (run.state.status, run.state.severity, run.state.value) == ("firing", "critical", 11)


def test_a_condition_is_pending_until_for_is_over():
    run = Run(rule(**{"for": "4m"}))
    assert run.see_all([11, 11]) == [[], []]
    assert run.state.status == "pending"
    assert run.see(11) == ["firing"]


def test_pending_starts_anew_after_a_good_value():
    run = Run(rule(**{"for": "4m"}))
    assert run.see_all([11, 11, 9, 11, 11]) == [[]] * 5
    assert run.see(11) == ["firing"]


def test_for_needs_a_second_evaluation_even_if_those_are_rare():
    run = Run(rule(every="1h", **{"for": "1m"}))
    assert run.see_all([11, 11]) == [[], ["firing"]]


def test_resolved_is_told_once_with_duration_and_worst_value():
    run = Run(rule())
    assert run.see_all([11, 40, 15, 9, 8]) == [["firing"], [], [], ["resolved"], []]
    run = Run(rule())
    run.see_all([11, 40, 15, 9])
    (state,) = run.notice.states.values()
    assert state.worst == 40
    assert state.firing_since == START
    assert state.since - START == 3 * TICK


def test_it_is_over_only_past_the_recovery_bound():
    run = Run(rule(recovery=5))
    assert run.see_all([11, 8, 6, 5]) == [["firing"], [], [], ["resolved"]]
    assert run.see(8) == [], "between the bounds nothing starts"


@pytest.mark.parametrize("nothing", [{}, {"": None}])
def test_no_row_or_null_is_no_data_and_never_zero(nothing):
    run = Run(rule(operator="<", threshold=5))
    assert run.see({"": None}) == []
    assert (run.state.status, run.state.value) == ("no_data", None)
    run = Run(rule())
    run.see(11)
    assert run.see(nothing) == [], "it keeps firing"
    assert run.state.status == "firing"


def test_a_firing_alert_without_data_keeps_firing_until_no_data_after():
    run = Run(rule(no_data_after="4m"))
    assert run.see_all([11, None, None]) == [["firing"], [], []]
    assert run.state.status == "firing"
    assert run.see(None) == ["no_data"]
    assert run.state.status == "no_data"
    assert run.see_all([None, 9, 9]) == [[], ["resolved"], []]


@pytest.mark.parametrize(
    ("on_empty", "status", "kinds"),
    [("ok", "ok", []), ("keep_last", "unknown", []), ("alert", "firing", ["firing"]), ("no_data", "no_data", [])],
)  # fmt: skip
def test_the_rule_says_what_no_data_means(on_empty, status, kinds):
    run = Run(rule(on_empty=on_empty))
    assert run.see(None) == kinds
    assert run.state.status == status


@pytest.mark.parametrize(
    ("operator", "value", "fires"),
    [(">", math.inf, True), ("<", math.inf, False), ("<", -math.inf, True), ("!=", -math.inf, True), ("between", math.inf, False)],
)  # fmt: skip
def test_infinity_is_compared(operator, value, fires):
    bound = [0, 10] if operator == "between" else 10
    assert bool(Run(rule(operator=operator, threshold=bound)).see(value)) is fires


@pytest.mark.parametrize(
    ("text", "kinds"),
    [("12.5", ["firing"]), (" -1e3 ", []), ("Infinity", ["firing"]), ("NaN", [])],
)
def test_numeric_text_is_compared_as_a_number(text, kinds):
    assert Run(rule()).see(number(text, "value")) == kinds


def test_nan_is_no_data():
    run = Run(rule(operator="!=", threshold=5))
    assert run.see(number(math.nan, "value")) == []
    assert run.state.status == "no_data"


def test_other_text_is_an_error():
    with pytest.raises(ReadingError, match="'twelve'"):
        number("twelve", "value")


def test_several_rows_without_reduce_or_key_are_an_error_that_names_both_ways_out():
    with pytest.raises(ReadingError, match=r"add reduce .*, or key_columns"):
        readings(rule(), QueryRows(["value"], [(11,), (12,)]))


def test_an_error_is_told_to_the_owner_once_and_resolved_once():
    run = Run(rule())
    assert run.see(Failure("column x does not exist")) == ["error"]
    assert run.notice.audience == "owner"
    assert run.see_all([9])[0] == ["error_resolved"]
    assert run.see(Failure("again")) == ["error"]
    assert run.see(Failure("and again")) == []
    assert run.last is not None
    assert run.last.status == "error"


def test_an_error_leaves_what_the_readers_know_as_it_is():
    run = Run(rule())
    run.see(11)
    run.see(Failure("timeout"))
    assert run.state.status == "firing"
    assert run.see(9) == ["error_resolved", "resolved"]


def test_an_error_can_be_an_alert_or_nothing():
    assert Run(rule(on_error="alert")).see(Failure("x")) == ["firing"]
    run = Run(rule(on_error="keep_last"))
    assert run.see(Failure("x")) == []
    assert run.health.error is None


def test_keys_that_are_gone_and_over_are_forgotten():
    run = Run(rule(key_columns=["k"], on_empty="ok"))
    run.see({'["a"]': 11.0, '["b"]': 1.0})
    assert run.see({}) == ["resolved"]
    assert run.states == {}


def test_a_change_is_measured_against_the_previous_reading():
    run = Run(rule(measure="change_percent", operator="<", threshold=-5))
    assert run.see_all([100, 96, 90]) == [[], [], ["firing"]]
    assert run.state.value == pytest.approx(-6.25)
    assert run.see(None) == []
    assert run.see(95) == ["resolved"], "against the last reading there was"


def test_a_change_against_days_ago_needs_a_reading_of_then():
    run = Run(rule(measure="change", compare_to="1d", operator=">", threshold=5))
    assert run.see(100, earlier={}) == []
    assert run.state.status == "no_data"
    assert run.see(100, earlier={"": 90.0}) == ["firing"]


def test_a_verdict_that_an_event_brings_is_taken():
    run = Run(rule())
    assert run.see(Given("warning", 3.0)) == ["firing"]
    assert run.see(Given("ok", 1.0)) == ["resolved"]
