"""What an alert does, case by case: each row of the documented table of semantics."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flows.alerts._advance import Failure, Found, Given, advance
from flows.alerts._notice import Advance, Health, Notice, States
from flows.alerts._reading import Readings
from flows.alerts._rule import Rule

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
TICK = timedelta(minutes=2)


def rule(**fields: Any) -> Rule:
    return Rule.model_validate(
        {"name": "r", "sql": "select 1", "operator": ">", "threshold": 10, **fields}
    )


class Run:
    """A rule that is evaluated tick after tick."""

    def __init__(self, of: Rule) -> None:
        self.rule = of
        self.states: States = {}
        self.health = Health()
        self.tick = 0
        self.last: Advance | None = None

    def see(self, found: Found | float | None, *, silenced: bool = False, **more: Any) -> list[str]:
        """One evaluation; the notices it leads to."""
        if found is None or isinstance(found, int | float):
            found = {"": found}
        now = START + self.tick * TICK
        self.tick += 1
        self.last = advance(
            self.rule, self.states, self.health, found, now, silenced=silenced, **more
        )
        self.states, self.health = self.last.states, self.last.health
        return [notice.kind for notice in self.last.notices]

    def see_all(self, values: Sequence[float | None]) -> list[list[str]]:
        return [self.see(value) for value in values]

    @property
    def notice(self) -> Notice:
        assert self.last is not None
        (notice,) = self.last.notices
        return notice

    @property
    def state(self):
        return self.states[""]


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
