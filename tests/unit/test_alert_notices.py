"""What the readers of an alert are told, and when: each row of the documented table of semantics."""

from datetime import timedelta

import pytest

from flows.alerts.evaluation.samples import Readings
from flows.alerts.evaluation.transition import Failure, advance
from flows.alerts.notifications.model import Health
from tests.support.alert_run import START, TICK, Run, rule


def test_unknown_to_ok_says_nothing():
    assert Run(rule()).see(9) == []


@pytest.mark.parametrize("minutes", [10, 15, 20, 60])
def test_a_firing_alert_is_repeated_exactly_every_repeat_every_over_60_ticks(minutes):
    run = Run(rule(repeat_every=f"{minutes}m"))
    told = [n for n, kinds in enumerate(run.see_all([11] * 61)) if kinds]
    due = range(0, 121, minutes)
    assert [n * 2 for n in told] == [minute + minute % 2 for minute in due], (
        "no drift, none skipped"
    )


def test_repeats_survive_jitter():
    """Runs a second early or late neither skip a repeat nor double one."""
    of, states, health, told = rule(repeat_every="10m"), {}, Health(), 0
    for n in range(60):
        now = START + n * TICK + timedelta(seconds=(-1) ** n * 0.9)
        after = advance(of, states, health, {"": 11.0}, now)
        states, health, told = after.states, after.health, told + len(after.notices)
    assert told == 12


def test_without_repeat_every_nothing_is_repeated():
    assert sum(map(len, Run(rule()).see_all([11] * 60))) == 1


def test_warning_to_critical_is_told_at_once_and_critical_hides_its_own_warning():
    both = rule(threshold=None, warning=10, critical=20)
    run = Run(both)
    assert run.see_all([11, 25]) == [["firing"], ["firing"]]
    assert run.notice.severity == "critical"
    assert run.see_all([15, 25, 9]) == [[], [], ["resolved"]], "people know of the critical already"
    run = Run(both)
    assert run.see(25) == ["firing"]
    assert run.notice.severity == "critical"


def test_while_silenced_states_move_and_nothing_is_sent():
    run = Run(rule())
    assert run.see(11, silenced=True) == []
    assert run.state.status == "firing"
    assert run.see(9, silenced=True) == []
    assert run.see(9) == [], "resolved only follows a firing notice"


def test_what_is_still_true_after_a_silence_is_told_then():
    run = Run(rule())
    run.see(11, silenced=True)
    assert run.see(11) == ["firing"]
    run.see(9, silenced=True)
    assert run.see(9) == ["resolved"]


def test_a_muted_rule_says_nothing_ever():
    run = Run(rule(muted=True))
    assert run.see_all([11, 9, 11]) == [[], [], []]
    assert run.see(Failure("x")) == []


def test_flapping_is_told_once_and_its_end_once():
    run = Run(rule(flapping_after=4))
    kinds = [kind for kinds in run.see_all([11, 9] * 8) for kind in kinds]
    assert kinds == ["firing", "resolved", "firing", "resolved", "flapping"]
    calm = [kind for kinds in run.see_all([9] * 60) for kind in kinds]
    assert calm == ["resolved"]


def test_an_alert_that_settles_firing_is_told_as_firing():
    run = Run(rule(flapping_after=4))
    run.see_all([11, 9] * 4)
    assert [kind for kinds in run.see_all([11] * 60) for kind in kinds] == ["firing"]


def test_a_thousand_keys_are_a_thousand_states_and_one_notice():
    run = Run(rule(key_columns=["k"]))
    found: Readings = {f'["{n}"]': 11.0 + n for n in range(1000)}
    assert run.see(found) == ["firing"]
    assert len(run.states) == len(run.notice.states) == 1000
    assert run.see({}) == []
    assert run.see(dict.fromkeys(found, 1.0)) == ["resolved"]


def test_a_notice_per_group():
    run = Run(rule(key_columns=["team", "stage"], group_by=["team"]))
    found: Readings = {f'["{team}", "{stage}"]': 11.0 for team in "ab" for stage in "xyz"}
    assert run.see(found) == ["firing", "firing"]


def test_a_repeat_is_about_everything_that_fires():
    run = Run(rule(key_columns=["k"], repeat_every="10m"))
    a, b = '["a"]', '["b"]'
    run.see({a: 11.0, b: 1.0})
    run.see({a: 11.0, b: 11.0})
    told = [run.see({a: 11.0, b: 11.0}) for _ in range(8)]
    assert [bool(kinds) for kinds in told] == [
        False,
        False,
        False,
        True,
        False,
        False,
        False,
        False,
    ]
