"""States of an alert, case by case; its notifications are tested in test_alert_notifications.

The retry of failing SQL within a run needs a database: tests/flows/alerts/test_evaluation.
"""

import math
from decimal import Decimal

import pytest

from analytics_worker.database.query_rows import QueryRows
from flows.alerts.evaluation.observation import Failure, ReportedStatus
from flows.alerts.evaluation.samples import SampleError, extract_samples, to_number
from tests.support.alert_run import START, TICK, Run, rule

TEXT = 25


def test_without_for_a_condition_fires_immediately():
    run = Run(rule())
    assert run.evaluate(11) == ["firing"]
    assert (run.state.status, run.state.severity, run.state.value) == ("firing", "critical", 11)


def test_a_condition_is_pending_until_for_has_elapsed():
    run = Run(rule(**{"for": "4m"}))
    assert run.evaluate_all([11, 11]) == [[], []]
    assert run.state.status == "pending"
    assert run.evaluate(11) == ["firing"]


def test_an_ok_value_restarts_the_pending_period():
    run = Run(rule(**{"for": "4m"}))
    assert run.evaluate_all([11, 11, 9, 11, 11]) == [[]] * 5
    assert run.evaluate(11) == ["firing"]


def test_for_needs_a_second_evaluation_even_if_the_period_is_longer():
    run = Run(rule(every="1h", **{"for": "1m"}))
    assert run.evaluate_all([11, 11]) == [[], ["firing"]]


def test_resolved_is_notified_once_with_duration_and_worst_value():
    run = Run(rule())
    assert run.evaluate_all([11, 40, 15, 9, 8]) == [["firing"], [], [], ["resolved"], []]
    run = Run(rule())
    run.evaluate_all([11, 40, 15, 9])
    (state,) = run.notification.states.values()
    assert state.worst_value == 40
    assert state.firing_since == START
    assert state.since - START == 3 * TICK


def test_an_alert_resolves_only_past_the_recovery_bound():
    run = Run(rule(recovery=5))
    assert run.evaluate_all([11, 8, 6, 5]) == [["firing"], [], [], ["resolved"]]
    assert run.evaluate(8) == [], "a value between the bounds does not fire"


@pytest.mark.parametrize("empty", [{}, {"": None}])
def test_no_row_or_null_is_no_data_and_never_zero(empty):
    run = Run(rule(operator="<", threshold=5))
    assert run.evaluate({"": None}) == []
    assert (run.state.status, run.state.value) == ("no_data", None)
    run = Run(rule())
    run.evaluate(11)
    assert run.evaluate(empty) == [], "it keeps firing"
    assert run.state.status == "firing"


def test_a_firing_alert_without_data_keeps_firing_until_no_data_after():
    run = Run(rule(no_data_after="4m"))
    assert run.evaluate_all([11, None, None]) == [["firing"], [], []]
    assert run.state.status == "firing"
    assert run.evaluate(None) == ["no_data"]
    assert run.state.status == "no_data"
    assert run.evaluate_all([None, 9, 9]) == [[], ["resolved"], []]


@pytest.mark.parametrize(
    ("on_empty", "status", "kinds"),
    [("ok", "ok", []), ("keep_last", "unknown", []), ("alert", "firing", ["firing"]), ("no_data", "no_data", [])],
)  # fmt: skip
def test_on_empty_sets_the_status_without_data(on_empty, status, kinds):
    run = Run(rule(on_empty=on_empty))
    assert run.evaluate(None) == kinds
    assert run.state.status == status


@pytest.mark.parametrize(
    ("operator", "value", "fires"),
    [(">", math.inf, True), ("<", math.inf, False), ("<", -math.inf, True), ("!=", -math.inf, True), ("between", math.inf, False)],
)  # fmt: skip
def test_infinity_is_compared(operator, value, fires):
    bound = [0, 10] if operator == "between" else 10
    assert bool(Run(rule(operator=operator, threshold=bound)).evaluate(value)) is fires


@pytest.mark.parametrize(
    ("text", "kinds"),
    [("12.5", ["firing"]), (" -1e3 ", []), ("Infinity", ["firing"]), ("NaN", [])],
)
def test_numeric_text_is_compared_as_a_number(text, kinds):
    assert Run(rule()).evaluate(to_number(text, "value", TEXT)) == kinds


def test_nan_is_no_data():
    run = Run(rule(operator="!=", threshold=5))
    assert run.evaluate(to_number("NaN", "value", TEXT)) == []
    assert run.state.status == "no_data"


def test_text_without_a_number_is_an_error():
    with pytest.raises(SampleError, match="'twelve'"):
        to_number("twelve", "value", TEXT)


def test_several_rows_are_an_error_that_suggests_reduce_and_key_columns():
    with pytest.raises(SampleError, match=r"add reduce .*, or key_columns"):
        extract_samples(rule(), QueryRows(["value"], [TEXT], [("11",), ("12",)]))


def test_the_owner_is_notified_of_an_error_and_of_its_end_once_each():
    run = Run(rule())
    assert run.evaluate(Failure("column x does not exist")) == ["error"]
    assert run.notification.audience == "owner"
    assert run.evaluate_all([9])[0] == ["error_resolved"]
    assert run.evaluate(Failure("again")) == ["error"]
    assert run.evaluate(Failure("and again")) == []
    assert run.last is not None
    assert run.last.status == "error"


def test_an_error_does_not_change_the_state_of_the_alert():
    run = Run(rule())
    run.evaluate(11)
    run.evaluate(Failure("timeout"))
    assert run.state.status == "firing"
    assert run.evaluate(9) == ["error_resolved", "resolved"]


def test_on_error_can_fire_an_alert_or_keep_the_state():
    assert Run(rule(on_error="alert")).evaluate(Failure("x")) == ["firing"]
    run = Run(rule(on_error="keep_last"))
    assert run.evaluate(Failure("x")) == []
    assert run.health.error is None


def test_a_change_is_measured_against_the_previous_sample():
    run = Run(rule(measure="change_percent", operator="<", threshold=-5))
    assert run.evaluate_all([100, 96, 90]) == [[], [], ["firing"]]
    assert run.state.value == pytest.approx(-6.25)
    assert run.evaluate(None) == []
    assert run.evaluate(95) == ["resolved"], "compared with the last sample"


def test_a_change_since_an_earlier_time_needs_a_sample_of_that_time():
    run = Run(rule(measure="change", compare_to="1d", operator=">", threshold=5))
    assert run.evaluate(100, baseline={}) == []
    assert run.state.status == "no_data"
    assert run.evaluate(100, baseline={"": Decimal(90)}) == ["firing"]


def test_a_status_reported_by_an_event_is_applied():
    run = Run(rule())
    assert run.evaluate(ReportedStatus("warning", Decimal(3))) == ["firing"]
    assert run.evaluate(ReportedStatus("ok", Decimal(1))) == ["resolved"]
