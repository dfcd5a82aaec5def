"""Notifications of the owner of a rule: it can't be evaluated, or it has no data."""

from typing import Any

import pytest

from flows.alerts.evaluation.observation import Failure
from flows.alerts.rules.model import Rule
from tests.support.alert_run import Run, rule

A, B = '["a"]', '["b"]'
VALUES = {".": 9.0, "c": 25.0, "n": None, "e": Failure("no such table"), "s": None, "f": Failure("x")}  # fmt: skip
SILENCED = "sf"


def timeline(of: Rule, ticks: str) -> str:
    """Return ``TICK KIND`` of each notification; ``s`` is no data in a silence, ``f`` an error in one."""
    run = Run(of)
    kinds = [run.evaluate(VALUES[each], silenced=each in SILENCED) for each in ticks]
    return ", ".join(f"{tick} {kind}" for tick, each in enumerate(kinds, start=1) for kind in each)


@pytest.mark.parametrize(
    ("fields", "ticks", "notified"),
    [
        ({}, ".nnnnn.", "4 missing_data, 7 missing_data_resolved"),
        ({}, "nnn.", "3 missing_data, 4 missing_data_resolved"),
        ({}, ".nn.nn.", ""),
        ({}, ".nnene.", "4 error, 5 error_resolved, 5 missing_data, 6 error, 7 error_resolved, 7 missing_data_resolved"),
        ({}, ".nsssn.", "6 missing_data, 7 missing_data_resolved"),
        ({"on_empty": "ok"}, ".nnnnn.", ""),
        ({"on_empty": "keep_last"}, ".nnnnn.", ""),
        ({}, "cnnnnn.", "1 firing, 4 no_data, 7 resolved"),
    ],
)  # fmt: skip
def test_the_owner_is_notified_of_missing_data_once_and_of_its_return(fields, ticks, notified):
    assert timeline(rule(no_data_after="4m", **fields), ticks) == notified


def test_missing_data_is_repeated_every_repeat_every():
    of = rule(no_data_after="4m", repeat_every="6m")
    assert timeline(of, "." + "n" * 10) == "4 missing_data, 7 missing_data, 10 missing_data"


def test_after_the_recipients_of_a_firing_alert_the_owner_is_notified():
    of = rule(no_data_after="4m", repeat_every="6m")
    assert timeline(of, "c" + "n" * 7 + ".") == (
        "1 firing, 4 no_data, 7 missing_data, 9 missing_data_resolved, 9 resolved"
    )


def test_an_error_is_repeated_every_repeat_every():
    assert timeline(rule(repeat_every="6m"), ".eeeeeeee.") == (
        "2 error, 5 error, 8 error, 10 error_resolved"
    )
    assert timeline(rule(), "." + "e" * 100) == "2 error"


def test_an_error_of_a_silence_is_notified_when_it_ends_and_repeated_from_then_on():
    assert timeline(rule(repeat_every="6m"), ".fffeeee") == "5 error, 8 error"


def keyed(**fields: Any) -> Run:
    return Run(rule(key_columns=["k"], no_data_after="4m", **fields))


def test_the_rule_of_all_keys_is_without_data_if_it_returns_none():
    run = keyed()
    assert run.evaluate({A: 9.0, B: 25.0}) == ["firing"]
    assert run.evaluate({A: 9.0, B: 1.0}) == ["resolved"]
    assert [run.evaluate({}) for _ in range(4)] == [[], [], ["missing_data"], []]
    assert run.evaluate({A: 9.0}) == ["missing_data_resolved"]


@pytest.mark.parametrize(
    ("fields", "samples"),
    [
        ({"on_missing_key": "resolve"}, {A: 9.0}),
        ({"on_missing_key": "keep"}, {A: 9.0}),
        ({"measure": "rows"}, {A: 9.0}),
        ({}, {}),
    ],
)
def test_the_rule_of_bad_keys_may_be_without_rows(fields, samples):
    run = keyed(**fields)
    assert [run.evaluate(samples), *(run.evaluate({}) for _ in range(6))] == [[]] * 7


def test_a_rule_that_only_lists_bad_rows_may_be_without_rows():
    run = keyed()
    run.evaluate({A: 25.0})
    kinds = [kind for _ in range(6) for kind in run.evaluate({})]
    assert kinds == ["no_data"]
