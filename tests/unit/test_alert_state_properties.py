"""Properties that hold for every alert and all observations."""

from datetime import UTC, datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from flows.alerts.evaluation.observation import Failure
from flows.alerts.evaluation.state_machine import RuleHealth, States
from flows.alerts.evaluation.transition import EvaluationOptions, apply_evaluation
from flows.alerts.notifications.model import AUDIENCES
from flows.alerts.rules.model import Rule
from tests.support.alert_run import exact

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def build_rule(pending, repeat, recovery, flapping, on_empty, bounds) -> Rule:
    return Rule.model_validate(
        {
            "name": "r",
            "operator": ">",
            **bounds,
            "recovery": recovery,
            "for": f"{pending}m",
            "repeat_every": f"{repeat}m" if repeat else None,
            "flapping_after": flapping,
            "on_empty": on_empty,
        }
    )


rules = st.builds(
    build_rule,
    st.integers(0, 6),
    st.sampled_from([None, 4, 10, 30]),
    st.sampled_from([None, 5.0]),
    st.sampled_from([None, 3]),
    st.sampled_from(["ok", "no_data", "keep_last", "alert"]),
    st.sampled_from([{"threshold": 10.0}, {"warning": 10.0, "critical": 20.0}]),
)
values = st.one_of(
    st.sampled_from([0.0, 7.0, 11.0, 25.0, None, "error"]),
    st.floats(allow_nan=False),
)
observations = st.lists(st.tuples(values, st.booleans(), st.integers(110, 130)), max_size=40)


def evaluate_all(rule: Rule, observations):
    """Yield states before, result, time and silence of each evaluation."""
    states: States = {}
    health, now = RuleHealth(), START
    for value, silenced, seconds in observations:
        observation = Failure("x") if value == "error" else {"": exact(value)}
        after = apply_evaluation(
            rule,
            states,
            health,
            observation,
            now,
            EvaluationOptions(suppressed=AUDIENCES if silenced else ()),
        )
        yield states, after, now, silenced
        states, health, now = after.states, after.health, now + timedelta(seconds=seconds)


@given(rules, observations)
def test_the_sequence_of_notifications_is_consistent(rule, observations):
    """Resolved follows firing, nothing is notified twice or while silenced, errors are for owners."""
    firing_notified = error_notified = False
    for _, after, _, silenced in evaluate_all(rule, observations):
        assert not (silenced and after.notifications)
        for notification in after.notifications:
            if notification.kind in {"error", "error_resolved"}:
                assert error_notified or notification.kind == "error"
                assert not error_notified or notification.kind != "error" or rule.repeat_every
                error_notified = notification.kind == "error"
            if notification.audience == "owner":
                continue
            assert firing_notified or notification.kind in {"firing", "flapping"}
            firing_notified = notification.kind != "resolved" and not (
                notification.kind == "no_data" and after.states[""].notified_severity is None
            )
        state = after.states.get("")
        assert firing_notified == bool(state and state.notified_severity)


@given(rules, observations)
def test_an_alert_fires_only_after_its_pending_period(rule, observations):
    for before, after, now, _ in evaluate_all(rule, observations):
        state, earlier = after.states.get(""), before.get("")
        starts = state and state.status == "firing" and (not earlier or earlier.status != "firing")
        if starts and rule.pending_period and earlier and earlier.firing_since is None:
            assert earlier.pending_since is not None
            assert now - earlier.pending_since >= rule.pending_period / 2


LATE_REPEAT_AFTER_SILENCE = [
    (11.0, False, 110),
    (11.0, False, 120),
    (0.0, True, 110),
    (11.0, False, 110),
    (11.0, False, 110),
]


@example(build_rule(0, 4, None, None, "ok", {"threshold": 10.0}), LATE_REPEAT_AFTER_SILENCE)
@given(rules, observations)
def test_repeats_are_at_least_half_a_period_apart(rule, observations):
    notified_at = None
    for _, after, now, _ in evaluate_all(rule, observations):
        for notification in after.notifications:
            if notification.kind == "still_firing":
                assert notified_at is not None
                assert now - notified_at >= rule.repeat_every / 2
            if notification.audience == "readers":
                notified_at = now


@given(rules, observations)
def test_repeating_an_evaluation_at_the_same_time_notifies_nothing(rule, observations):
    for _, after, now, silenced in evaluate_all(rule, observations):
        state = after.states.get("")
        if state is None or state.value is None or after.status == "error":
            continue
        repeated = apply_evaluation(
            rule,
            after.states,
            after.health,
            {"": state.value},
            now,
            EvaluationOptions(suppressed=AUDIENCES if silenced else ()),
        )
        assert not repeated.notifications
