"""Timelines: one letter for each evaluation, and the notifications that it causes.

``.`` is ok, ``w`` warning, ``c`` critical, ``n`` no data, ``e`` an error, ``s`` critical in a silence.
"""

from typing import Any

import pytest

from flows.alerts.evaluation.observation import Failure
from flows.alerts.rules.model import Rule
from tests.support.alert_run import Run, rule

VALUES = {".": 9.0, "w": 11.0, "c": 25.0, "n": None, "e": Failure("no such table"), "s": 25.0}


def two_bounds(**fields: Any) -> Rule:
    return rule(threshold=None, warning=10, critical=20, **fields)


def timeline(of: Rule, ticks: str) -> str:
    """Return ``TICK KIND`` of each notification, the first tick being 1."""
    run = Run(of)
    notified: list[str] = []
    for number, letter in enumerate(ticks.replace(" ", ""), start=1):
        notified += [
            f"{number} {kind}" for kind in run.evaluate(VALUES[letter], silenced=letter == "s")
        ]
    return ", ".join(notified)


@pytest.mark.parametrize(
    ("ticks", "notified"),
    [
        ("w c", "1 firing, 2 firing"),
        ("c w", "1 firing"),
        ("c w c", "1 firing, 3 firing"),
        ("w c w w c c w .", "1 firing, 2 firing, 5 firing, 8 resolved"),
        ("c w s c", "1 firing, 4 firing"),
    ],
)
def test_each_rise_of_the_severity_is_notified_and_no_fall(ticks, notified):
    assert timeline(two_bounds(), ticks) == notified


def test_a_severity_that_rises_and_falls_all_the_time_is_flapping():
    assert timeline(two_bounds(flapping_after=4), "c w" * 12) == (
        "1 firing, 3 firing, 5 firing, 7 firing, 9 flapping"
    )


@pytest.mark.parametrize(
    ("limit", "ticks", "notified"),
    [
        (4, "w . w . w c c c", "1 firing, 2 resolved, 3 firing, 4 resolved, 5 flapping, 6 firing"),
        (3, "w . w . w c c c", "1 firing, 2 resolved, 3 firing, 4 flapping, 6 firing"),
        (3, "w . w . w w w w", "1 firing, 2 resolved, 3 firing, 4 flapping"),
        (3, "w . w . w c .", "1 firing, 2 resolved, 3 firing, 4 flapping, 6 firing, 7 resolved"),
    ],
)
def test_critical_ends_the_calm_of_a_warning_that_was_flapping(limit, ticks, notified):
    assert timeline(two_bounds(flapping_after=limit), ticks) == notified


def test_critical_that_was_flapping_itself_does_not_end_the_calm():
    ticks = "c . c . w c . c . w c"
    assert timeline(two_bounds(flapping_after=3), ticks) == (
        "1 firing, 2 resolved, 3 firing, 4 flapping"
    )


def test_critical_of_earlier_does_not_keep_the_calm():
    assert timeline(two_bounds(flapping_after=3), "c . w . w c c") == (
        "1 firing, 2 resolved, 3 firing, 4 flapping, 6 firing"
    )


def test_the_calm_ends_for_critical_once_in_an_hour():
    ticks = "w . w . w c . w . w c c c"
    notified = (
        "1 firing, 2 resolved, 3 firing, 4 flapping, 6 firing, 7 resolved, 8 firing, 9 flapping"
    )
    of = two_bounds(flapping_after=3)
    assert timeline(of, ticks) == notified
    assert timeline(of, "w . w . w c" + ". w" * 15 + "c").endswith("flapping, 37 firing")


@pytest.mark.parametrize(
    ("ticks", "notified"),
    [
        ("c n n n c c", "1 firing, 4 no_data, 5 firing_again"),
        ("c n n n n w c", "1 firing, 4 no_data, 6 firing_again, 7 firing"),
        ("w n n n c", "1 firing, 4 no_data, 5 firing"),
        ("c n n n . c", "1 firing, 4 no_data, 5 resolved, 6 firing"),
        ("c n n n n s c", "1 firing, 4 no_data, 7 firing_again"),
        ("c n c", "1 firing"),
    ],
)
def test_an_alert_whose_data_is_back_is_firing_again(ticks, notified):
    assert timeline(two_bounds(no_data_after="4m"), ticks) == notified


@pytest.mark.parametrize(
    ("fields", "ticks", "notified"),
    [
        ({"on_empty": "keep_last"}, "w n w w", "3 firing"),
        ({"on_empty": "keep_last"}, "w n n", "3 firing"),
        ({"on_error": "keep_last"}, "w e w", "3 firing"),
        ({"on_error": "keep_last"}, "w e e", "3 firing"),
        ({"on_empty": "keep_last"}, ". n n n", ""),
        ({"on_empty": "keep_last"}, "w . n w w", ""),
        ({}, "w n w w w", "5 firing"),
    ],
)
def test_a_pending_alert_goes_on_with_keep_last(fields, ticks, notified):
    assert timeline(two_bounds(**fields, **{"for": "4m"}), ticks) == notified


@pytest.mark.parametrize(
    ("ticks", "notified"),
    [
        ("c . . . .", "1 firing, 4 resolved"),
        ("c . . c . . . .", "1 firing, 7 resolved"),
        ("c . n . .", "1 firing, 4 resolved"),
        ("c . e . .", "1 firing, 3 error, 4 error_resolved, 4 resolved"),
        ("w . . c . . .", "1 firing, 4 firing, 7 resolved"),
    ],
)
def test_an_alert_keeps_firing_for_a_time(ticks, notified):
    assert timeline(two_bounds(keep_firing_for="4m"), ticks) == notified
