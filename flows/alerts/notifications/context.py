"""Collect what the templates of a notification can show: plain values, each safe to print.

Reads the settings; writes nothing. Values from data are in one line and visibly truncated.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from analytics_worker.delivery.channels.card import is_usable_url
from analytics_worker.presentation.exact_numbers import json_number
from analytics_worker.text import printable, value_line
from analytics_worker.timezones import time_text
from analytics_worker.trust.stamp import stamp_text
from analytics_worker.user_templates.rendering import shorten_texts
from flows.alerts.evaluation.samples import NO_KEY, key_label
from flows.alerts.evaluation.state_machine import AlertState
from flows.alerts.expected.ranges import bounded_rule
from flows.alerts.notifications.expected import expected_text
from flows.alerts.notifications.json_body import RankedStates, duration_text, notification_condition
from flows.alerts.notifications.kind_texts import COLORS, HEADLINES, hint, label
from flows.alerts.notifications.model import Notification, start_time
from flows.alerts.notifications.reasons import older_values_at, reason_text
from flows.alerts.notifications.recent_values import recent_texts
from flows.alerts.notifications.values import unit_of, value_text
from flows.alerts.rules.model import Rule
from flows.alerts.rules.times import rule_timezone

MAX_ERROR_CHARACTERS = 2000
MAX_TEXT_CHARACTERS = 4000
MAX_TEMPLATE_DIGITS = 30
_DEFAULT_COLOR = "#475569"


def notification_context(
    rule: Rule, notification: Notification, worst: RankedStates, now: datetime, run_url: str = ""
) -> dict[str, Any]:
    """Return the plain values that templates can use."""
    since, kind, zone = start_time(notification), notification.kind, rule_timezone(rule)
    context = {
        "kind": kind,
        "label": label(notification),
        "headline": HEADLINES[notification.kind],
        "severity": notification.severity,
        "rule": _rule(rule),
        "condition": value_line(notification_condition(rule, notification)),
        "unit": f" {unit_of(rule)}" if unit_of(rule) else "",
        "group": key_label(notification.group),
        "count": len(notification.states),
        "more": len(notification.states) - len(worst),
        "worst": [_item(rule, notification, key, state, now) for key, state in worst],
        "reason": value_line(reason_text(notification) or "", MAX_ERROR_CHARACTERS) or None,
        "value_at": _time(older_values_at(notification, now), zone),
        "since": _time(since, zone),
        "duration": duration_text(since, now),
        "error": value_line(notification.health.error or "", MAX_ERROR_CHARACTERS) or None,
        "hint": " ".join(filter(None, [_missed(notification, zone), hint(rule, kind)])) or None,
        "color": COLORS.get(kind, COLORS.get(notification.severity or "", _DEFAULT_COLOR)),
        "at": _time(now, zone),
        "run_url": run_url if is_usable_url(run_url) else None,
        "trust": stamp_text(notification.trust, zone),
    }
    return shorten_texts(context, MAX_TEXT_CHARACTERS)


def _rule(rule: Rule) -> Mapping[str, str | None]:
    runbook = (rule.runbook or "").strip()
    is_link = is_usable_url(runbook)
    return {
        "name": value_line(rule.name),
        "description": printable(rule.description or "") or None,
        "owner": value_line(rule.owner or "") or None,
        "runbook_url": runbook if is_link else None,
        "runbook": printable(runbook) if runbook and not is_link else None,
    }


def _item(
    rule: Rule, notification: Notification, key: str, state: AlertState, now: datetime
) -> dict[str, Any]:
    reason, expected = notification.reasons.get(key), expected_text(rule, notification, key)
    rule = bounded_rule(rule, notification.expected.get(key))
    texts = recent_texts(rule, notification.recent_values.get(key, ()))
    return {
        "key": key_label(key),
        "severity": state.severity,
        "value": _template_number(state.value),
        "value_text": None if state.value is None else value_text(rule, state.value),
        "worst": _template_number(state.worst_value),
        "worst_text": None if state.worst_value is None else value_text(rule, state.worst_value),
        "expected": expected,
        "reason": reason and value_line(reason),
        "since": _time(state.firing_since, rule_timezone(rule)),
        "duration": duration_text(state.firing_since, now),
        "recent_values": texts and texts.line,
        "recent_summary": texts and texts.summary,
    }


def _template_number(value: Decimal | None) -> float | int | None:
    """Return a number that templates can compute with; the texts beside it have all digits."""
    if value is None or isinstance(json_number(value), float):
        return None if value is None else float(value)
    is_whole = value.is_finite() and value.adjusted() < MAX_TEMPLATE_DIGITS and value == int(value)
    return int(value) if is_whole else float(value)


def _missed(notification: Notification, zone: str) -> str | None:
    at = _time(notification.missed_at, zone)
    return at and f"Evaluated late: the rule was due at {at}, when no run evaluated it."


def _time(at: datetime | None, timezone: str) -> str | None:
    return time_text(at, timezone) if at else None


def example_context(rule: Rule) -> dict[str, Any]:
    """Return an example context, to validate the template of a rule."""
    now = datetime.now(UTC)
    severity, one = rule.highest_severity, Decimal(1)
    state = AlertState(
        now, "firing", severity, one, one, one, firing_since=now, notified_severity=severity
    )
    notification = Notification("firing", states={NO_KEY: state})
    worst = [(NO_KEY, state)]
    return {**notification_context(rule, notification, worst, now), "subject": "subject"}
