"""The bounds of an expected range, and the text that says which days it is of."""

from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.alerts.expected.baseline import Baseline
from flows.alerts.expected.ranges import bounded_rule, days_text, expected_range
from flows.alerts.rules.model import Rule

MONDAY = datetime(2026, 11, 23, 9)  # noqa: DTZ001  # a local time


def range_of(center, spread, operator="outside", **expected):
    content = {"name": "r", "sql": "select 1", "operator": operator, "expected": expected}
    rule = Rule.model_validate(content)
    assert rule.expected
    baseline = Baseline(Decimal(center), Decimal(spread), "week", 8, [])
    return rule, expected_range(rule, rule.expected, baseline, MONDAY)


@pytest.mark.parametrize(
    ("grouping", "text"),
    [
        ("day", "at 09:00"),
        ("week", "for Mondays at 09:00"),
        ("month", "for day 23 of the month at 09:00"),
        ("day_off", "for days off at 09:00"),
    ],
)
def test_the_days_are_named(grouping, text):
    assert days_text(grouping, MONDAY) == text


def test_the_floor_is_the_smallest_deviation():
    _, narrow = range_of(100, 1, floor=10)
    assert narrow.bounds == {"critical": (90, 110)}
    _, wide = range_of(100, 5, floor=10)
    assert wide.bounds == {"critical": (80, 120)}


@pytest.mark.parametrize(("operator", "bound"), [("<", 80), (">", 120), ("outside", [80, 120])])
def test_a_rule_has_the_bound_of_its_direction(operator, bound):
    rule, found = range_of(100, 5, operator)
    assert bounded_rule(rule, found).threshold == bound
    assert bounded_rule(rule, None) is rule


def test_each_severity_has_bounds_of_its_own():
    rule, found = range_of(100, 5, sensitivity={"warning": 2, "critical": 4})
    bounded = bounded_rule(rule, found)
    assert bounded.bounds == {"critical": [80, 120], "warning": [90, 110]}


sizes = st.decimals(min_value=0, max_value=Decimal("1e300"), allow_nan=False)


@given(st.decimals(allow_nan=False, allow_infinity=False), sizes)
def test_bounds_are_rounded_outward_by_little(center, spread):
    (low, high) = range_of(center, spread)[1].bounds["critical"]
    size = 4 * spread
    assert low <= center <= high
    if abs(center.adjusted() - size.adjusted()) < 20:
        assert high - low <= 2 * size * Decimal("1.011")
