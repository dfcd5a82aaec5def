"""The JSON of a notice, which webhooks get and ops.alert_events keeps (docs/alerts.md).

Reads nothing, writes nothing. Values from data are exact: instants in ISO 8601, infinity as text.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from analytics_worker.definitions.durations import format_duration
from analytics_worker.user_templates.rendering import number_text
from flows.alerts.evaluation.samples import exact_label
from flows.alerts.evaluation.state_machine import AlertState
from flows.alerts.notifications.model import Notice, began
from flows.alerts.rules.model import Bound, Rule

Ranked = Sequence[tuple[str, AlertState]]


def json_body(
    rule: Rule, notice: Notice, worst: Ranked, now: datetime, headline: str
) -> dict[str, Any]:
    """Return what programs get."""
    since = began(notice)
    items = [_fact(key, state) for key, state in worst]
    return {
        "kind": notice.kind,
        "rule": rule.name,
        "description": rule.description,
        "owner": rule.owner,
        "severity": notice.severity,
        "group": exact_label(notice.group),
        "headline": headline,
        "condition": condition(rule, notice.severity),
        "value": items[0]["value"] if len(notice.states) == 1 else None,
        "count": len(notice.states),
        "worst": items,
        "more": len(notice.states) - len(worst),
        "at": _iso(now),
        "since": _iso(since),
        "duration": duration_text(since, now),
        "duration_seconds": int((now - since).total_seconds()) if since else None,
        "error": notice.health.error,
    }


def _fact(key: str, state: AlertState) -> dict[str, Any]:
    return {
        "key": exact_label(key),
        "severity": state.severity,
        "value": _finite(state.value),
        "worst": _finite(state.worst),
        "since": _iso(state.firing_since),
    }


def _iso(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="seconds") if at else None


def _finite(value: float | None) -> float | str | None:
    """Infinity as text, which JSON has no number for."""
    return str(value) if value is not None and math.isinf(value) else value


def condition(rule: Rule, severity: str | None) -> str:
    """``value > 10``, in the words of the rule."""
    bound: Bound | None = next(
        (b for s, b in rule.bounds.items() if s == severity), next(iter(rule.bounds.values()), None)
    )
    if bound is None:
        return ""
    shown = " and ".join(map(number_text, bound)) if isinstance(bound, list) else number_text(bound)
    unit = " %" if rule.measure == "change_percent" else ""
    what = {"rows": "rows", "change": "change", "change_percent": "change"}
    return f"{what.get(rule.measure, rule.value or 'value')} {rule.operator} {shown}{unit}"


def duration_text(since: datetime | None, now: datetime) -> str | None:
    """How long it has been so; nothing for what has just begun."""
    if since is None or now <= since:
        return None
    return format_duration(now - since)
