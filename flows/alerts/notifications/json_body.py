"""Build the JSON of a notification, which webhooks send and ops.alert_events stores (docs/alerts.md).

Reads nothing, writes nothing. Values from data are unchanged; timestamps are ISO 8601, infinity is text, and so
is a number that double precision can't hold.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from analytics_worker.definitions.durations import format_duration
from analytics_worker.presentation.exact_numbers import json_number
from analytics_worker.trust.stamp import trust_json
from flows.alerts.evaluation.samples import exact_key_label
from flows.alerts.evaluation.state_machine import AlertState
from flows.alerts.expected.ranges import bounded_rule
from flows.alerts.notifications.expected import expected_condition, expected_json
from flows.alerts.notifications.model import Notification, start_time
from flows.alerts.notifications.reasons import reason_text
from flows.alerts.notifications.values import unit_of, value_text
from flows.alerts.rules.model import Bound, Rule

RankedStates = Sequence[tuple[str, AlertState]]
"""Keys and states, the worst first."""

_VALUE_NAMES = {"rows": "rows", "change": "change", "change_percent": "change"}


def json_body(
    rule: Rule, notification: Notification, worst: RankedStates, now: datetime, headline: str
) -> dict[str, Any]:
    """Return the JSON body of a notification."""
    since = start_time(notification)
    items = [_item(rule, notification, key, state) for key, state in worst]
    is_single = len(notification.states) == 1
    return {
        "kind": notification.kind,
        "rule": rule.name,
        "description": rule.description,
        "owner": rule.owner,
        "severity": notification.severity,
        "group": exact_key_label(notification.group),
        "headline": headline,
        "condition": notification_condition(rule, notification),
        "value": items[0]["value"] if is_single else None,
        "value_text": items[0]["value_text"] if is_single else None,
        **({"expected": items[0]["expected"] if is_single else None} if rule.expected else {}),
        "unit": unit_of(rule) or None,
        "value_at": _format_time(notification.values_at or now),
        "reason": reason_text(notification),
        "count": len(notification.states),
        "worst": items,
        "more": len(notification.states) - len(worst),
        "at": _format_time(now),
        "missed_at": _format_time(notification.missed_at),
        "since": _format_time(since),
        "duration": duration_text(since, now),
        "duration_seconds": int((now - since).total_seconds()) if since else None,
        "error": notification.health.error,
        "runbook": rule.runbook,
        "trust": trust_json(notification.trust),
    }


def _item(rule: Rule, notification: Notification, key: str, state: AlertState) -> dict[str, Any]:
    expected = {"expected": expected_json(rule, notification, key)} if rule.expected else {}
    rule = bounded_rule(rule, notification.expected.get(key))
    return {
        "key": exact_key_label(key),
        "severity": state.severity,
        "value": _json_number(rule, state.value),
        "value_text": None if state.value is None else value_text(rule, state.value),
        **expected,
        "worst": _json_number(rule, state.worst_value),
        "reason": notification.reasons.get(key),
        "since": _format_time(state.firing_since),
        "recent_values": [
            _json_number(rule, each) for each in notification.recent_values.get(key, ())
        ],
    }


def _format_time(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="seconds") if at else None


def _json_number(rule: Rule, value: Decimal | None) -> float | str | None:
    """Return a number for JSON; what is rounded anyway is no text for its many digits."""
    if value is not None and rule.measure == "change_percent":
        value = Decimal(repr(float(value)))
    return json_number(value)


def notification_condition(rule: Rule, notification: Notification) -> str:
    """Return the condition of a notification; of a single key, what is expected of its value."""
    if rule.expected is None:
        return condition_text(rule, *notification.severities)
    return expected_condition(rule, notification)


def condition_text(rule: Rule, *severities: str | None) -> str:
    """Return the condition of severities, such as ``value > 10``; without one, that of the lowest.

    Of several: ``value > 10 (critical), > 5 (warning)``.
    """
    bounds = {each: bound for each, bound in rule.bounds.items() if each in severities}
    bounds = bounds or dict(list(rule.bounds.items())[-1:])
    texts = {each: f"{rule.operator} {_bound_text(rule, bounds[each])}" for each in bounds}
    if not texts:
        return ""
    name = _VALUE_NAMES.get(rule.measure, rule.value or "value")
    if len(texts) == 1:
        return f"{name} {next(iter(texts.values()))}"
    return f"{name} {', '.join(f'{text} ({each})' for each, text in texts.items())}"


def _bound_text(rule: Rule, bound: Bound) -> str:
    numbers = bound if isinstance(bound, list) else [bound]
    return " and ".join(value_text(rule, number) for number in numbers)


def duration_text(since: datetime | None, now: datetime) -> str | None:
    """Return the time elapsed; None if there is none."""
    if since is None or now <= since:
        return None
    return format_duration(now - since)
