"""Show what is expected of the values of a rule with ``expected``.

Reads nothing, writes nothing.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from analytics_worker.presentation.exact_numbers import json_number
from flows.alerts.evaluation.observation import Observation
from flows.alerts.evaluation.state_machine import States
from flows.alerts.expected.history import Expectations
from flows.alerts.expected.ranges import ExpectedRange, bounded_rule
from flows.alerts.notifications.model import Notification, sort_worst_first
from flows.alerts.notifications.values import value_text
from flows.alerts.rules.model import Rule, Severity

_DEVIATIONS = {"<": "below", ">": "above"}


def expected_ranges(
    states: States, observation: Observation, expectations: Expectations | None
) -> Mapping[str, ExpectedRange]:
    """Return the expected range by key, of the keys that have a value of the current evaluation."""
    if expectations is None or not isinstance(observation, dict):
        return {}
    ranges = {
        key: expectations.range_of(key) for key, state in states.items() if state.value is not None
    }
    return {key: each for key, each in ranges.items() if each is not None}


def worst_expected(rule: Rule, states: States, expectations: Expectations) -> Decimal | None:
    """Return the value of the key that is the worst by what is expected of each."""
    known = {key: state for key, state in states.items() if state.value is not None}
    ranges = {key: expectations.range_of(key) for key in known}
    ranked = sort_worst_first(rule, known, {k: r for k, r in ranges.items() if r is not None})
    return ranked[0][1].value if ranked else None


def expected_condition(rule: Rule, notification: Notification) -> str:
    """Return what is expected of the value of a single key; of several, only how they deviate."""
    if len(notification.states) == 1:
        (key,) = notification.states
        if text := expected_text(rule, notification, key):
            return f"expected {text}"
    deviation = _DEVIATIONS.get(rule.operator, "outside")
    return f"{rule.value or 'value'} {deviation} the expected range"


def expected_text(rule: Rule, notification: Notification, key: str) -> str | None:
    """Return what is expected of a key, such as ``1,900 to 2,300 for Mondays at 09:00``."""
    found = notification.expected.get(key)
    if found is None:
        return None
    return range_text(rule, found, notification.states[key].severity or notification.severity)


def range_text(rule: Rule, found: ExpectedRange, severity: Severity | None = None) -> str:
    """Return a range and the days that it is of; without a severity, the one that is reached first."""
    low, high = (value_text(bounded_rule(rule, found), each) for each in _bounds(found, severity))
    numbers = {"<": f"at least {low}", ">": f"at most {high}"}.get(rule.operator)
    return f"{numbers or (low if low == high else f'{low} to {high}')} {found.days}"


def expected_json(rule: Rule, notification: Notification, key: str) -> dict[str, Any] | None:
    """Return what is expected of a key, for programs."""
    found = notification.expected.get(key)
    if found is None:
        return None
    low, high = _bounds(found, notification.states[key].severity or notification.severity)
    return {
        "low": None if rule.operator == ">" else json_number(low),
        "high": None if rule.operator == "<" else json_number(high),
        "samples": found.samples,
        "text": expected_text(rule, notification, key),
    }


def _bounds(found: ExpectedRange, severity: Severity | None) -> tuple[Decimal, Decimal]:
    lowest = list(found.bounds.values())[-1]
    return found.bounds.get(severity, lowest) if severity else lowest
