"""Notifications of an alert: one test for each row of the table in docs/alerts.md."""

from datetime import timedelta
from decimal import Decimal

import pytest

from flows.alerts.evaluation.observation import Failure
from flows.alerts.evaluation.samples import Samples
from flows.alerts.evaluation.state_machine import RuleHealth
from flows.alerts.evaluation.transition import apply_evaluation
from tests.support.alert_run import START, TICK, Run, rule


def test_the_first_ok_is_not_notified():
    assert Run(rule()).evaluate(9) == []


@pytest.mark.parametrize("minutes", [10, 15, 20, 60])
def test_a_firing_alert_is_repeated_every_repeat_every_over_60_ticks(minutes):
    run = Run(rule(repeat_every=f"{minutes}m"))
    notified = [n for n, kinds in enumerate(run.evaluate_all([11] * 61)) if kinds]
    due = range(0, 121, minutes)
    assert [n * 2 for n in notified] == [minute + minute % 2 for minute in due], (
        "no drift, none skipped"
    )


def test_repeats_tolerate_schedule_jitter():
    """Runs a second early or late neither skip nor duplicate a repeat."""
    repeating, states, health, count = rule(repeat_every="10m"), {}, RuleHealth(), 0
    for n in range(60):
        now = START + n * TICK + timedelta(seconds=(-1) ** n * 0.9)
        after = apply_evaluation(repeating, states, health, {"": Decimal(11)}, now)
        states, health, count = after.states, after.health, count + len(after.notifications)
    assert count == 12


def test_without_repeat_every_nothing_is_repeated():
    assert sum(map(len, Run(rule()).evaluate_all([11] * 60))) == 1


def test_during_a_silence_states_change_and_nothing_is_notified():
    run = Run(rule())
    assert run.evaluate(11, silenced=True) == []
    assert run.state.status == "firing"
    assert run.evaluate(9, silenced=True) == []
    assert run.evaluate(9) == [], "resolved only follows a firing notification"


def test_an_alert_that_is_still_firing_after_a_silence_is_notified_then():
    run = Run(rule())
    run.evaluate(11, silenced=True)
    assert run.evaluate(11) == ["firing"]
    run.evaluate(9, silenced=True)
    assert run.evaluate(9) == ["resolved"]


def test_a_muted_rule_is_never_notified():
    run = Run(rule(muted=True))
    assert run.evaluate_all([11, 9, 11]) == [[], [], []]
    assert run.evaluate(Failure("x")) == []


def test_flapping_and_its_end_are_notified_once_each():
    run = Run(rule(flapping_after=4))
    kinds = [kind for kinds in run.evaluate_all([11, 9] * 8) for kind in kinds]
    assert kinds == ["firing", "resolved", "firing", "resolved", "flapping"]
    after_flapping = [kind for kinds in run.evaluate_all([9] * 60) for kind in kinds]
    assert after_flapping == ["resolved"]


def test_an_alert_that_is_firing_after_flapping_is_notified_as_firing():
    run = Run(rule(flapping_after=4))
    run.evaluate_all([11, 9] * 4)
    assert [kind for kinds in run.evaluate_all([11] * 60) for kind in kinds] == ["firing"]


def test_a_thousand_keys_have_a_thousand_states_and_one_notification():
    run = Run(rule(key_columns=["k"]))
    samples: Samples = {f'["{n}"]': Decimal(11 + n) for n in range(1000)}
    assert run.evaluate(samples) == ["firing"]
    assert len(run.states) == len(run.notification.states) == 1000
    assert run.evaluate({}) == []
    assert run.evaluate(dict.fromkeys(samples, 1.0)) == ["resolved"]


def test_each_group_has_its_own_notification():
    run = Run(rule(key_columns=["team", "stage"], group_by=["team"]))
    samples: Samples = {f'["{team}", "{stage}"]': Decimal(11) for team in "ab" for stage in "xyz"}
    assert run.evaluate(samples) == ["firing", "firing"]


def test_a_repeat_includes_all_firing_keys():
    run = Run(rule(key_columns=["k"], repeat_every="10m"))
    a, b = '["a"]', '["b"]'
    run.evaluate({a: 11.0, b: 1.0})
    run.evaluate({a: 11.0, b: 11.0})
    kinds_by_tick = [run.evaluate({a: 11.0, b: 11.0}) for _ in range(8)]
    assert [bool(kinds) for kinds in kinds_by_tick] == [
        False,
        False,
        False,
        True,
        False,
        False,
        False,
        False,
    ]
