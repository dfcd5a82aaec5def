"""What holds of every alert, whatever it sees."""

from datetime import UTC, datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from flows.alerts.evaluation.transition import Failure, advance
from flows.alerts.notifications.model import AUDIENCES, Health, States
from flows.alerts.rules.model import Rule

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def one_rule(wait, repeat, recovery, flapping, on_empty, levels) -> Rule:
    return Rule.model_validate(
        {
            "name": "r",
            "operator": ">",
            **levels,
            "recovery": recovery,
            "for": f"{wait}m",
            "repeat_every": f"{repeat}m" if repeat else None,
            "flapping_after": flapping,
            "on_empty": on_empty,
        }
    )


rules = st.builds(
    one_rule,
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
sights = st.lists(st.tuples(values, st.booleans(), st.integers(110, 130)), max_size=40)


def play(rule: Rule, seen):
    """The evaluations one after the other: states before and after, and the notices."""
    states: States = {}
    health, now = Health(), START
    for value, silenced, seconds in seen:
        found = Failure("x") if value == "error" else {"": value}
        after = advance(rule, states, health, found, now, unreachable=AUDIENCES if silenced else ())
        yield states, after, now, silenced
        states, health, now = after.states, after.health, now + timedelta(seconds=seconds)


@given(rules, sights)
def test_notices_tell_a_story_that_makes_sense(rule, seen):
    """Resolved follows firing; nothing is told twice; a silence is silent; errors go to owners."""
    believed = erroneous = False
    for _, after, _, silenced in play(rule, seen):
        assert not (silenced and after.notices)
        for notice in after.notices:
            if notice.audience == "owner":
                assert erroneous == (notice.kind == "error_resolved")
                erroneous = not erroneous
                continue
            assert believed or notice.kind in {"firing", "flapping"}
            believed = notice.kind != "resolved" and not (
                notice.kind == "no_data" and after.states[""].told is None
            )
        state = after.states.get("")
        assert believed == bool(state and state.told)


@given(rules, sights)
def test_an_alert_fires_only_after_its_pending_period(rule, seen):
    for before, after, now, _ in play(rule, seen):
        state, earlier = after.states.get(""), before.get("")
        starts = state and state.status == "firing" and (not earlier or earlier.status != "firing")
        if starts and rule.wait and earlier and earlier.firing_since is None:
            assert earlier.pending_since is not None
            assert now - earlier.pending_since >= rule.wait / 2


LATE_AFTER_A_SILENCE = [
    (11.0, False, 110),
    (11.0, False, 120),
    (0.0, True, 110),
    (11.0, False, 110),
    (11.0, False, 110),
]


@example(one_rule(0, 4, None, None, "ok", {"threshold": 10.0}), LATE_AFTER_A_SILENCE)
@given(rules, sights)
def test_repeats_keep_their_distance(rule, seen):
    told_at = None
    for _, after, now, _ in play(rule, seen):
        for notice in after.notices:
            if notice.kind == "still_firing":
                assert told_at is not None
                assert now - told_at >= rule.repeat_every / 2
            if notice.audience == "readers":
                told_at = now


@given(rules, sights)
def test_seeing_the_same_at_the_same_time_changes_nothing_more(rule, seen):
    """A second evaluation at the same instant tells nobody anything."""
    for _, after, now, silenced in play(rule, seen):
        state = after.states.get("")
        if state is None or state.value is None or after.status == "error":
            continue
        again = advance(
            rule,
            after.states,
            after.health,
            {"": state.value},
            now,
            unreachable=AUDIENCES if silenced else (),
        )
        assert not again.notices
