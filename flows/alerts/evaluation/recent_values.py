"""Load the last values of the alerts that are notified of.

Reads ops.alert_evaluations; writes nothing. Of a rule with keys, the history has the sample of each key: that
is its value, except for changes, which have no recent values then.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, RowMapping

from analytics_worker.database.connections import run_sql
from analytics_worker.trust.state import TrustState
from flows.alerts.evaluation.result import EvaluationResult
from flows.alerts.evaluation.samples import NO_KEY
from flows.alerts.notifications.model import Notification, sort_worst_first
from flows.alerts.notifications.recent_values import MAX_VALUES
from flows.alerts.rules.model import Rule

MAX_KEYS = 10
"""Keys of each notification that have recent values: as many as a message lists."""

ValuesByKey = Mapping[str, Sequence[Decimal | None]]


def load_recent_values(
    connection: Connection, rules: Mapping[int, tuple[Rule, EvaluationResult]]
) -> dict[int, ValuesByKey]:
    """Return the last values, the earliest first, by rule and key; nothing for other rules."""
    keys = {rule_id: _keys(rule, result) for rule_id, (rule, result) in rules.items()}
    wanted = [{"rule_id": rule_id, "keys": each} for rule_id, each in keys.items() if each]
    found: dict[int, dict[str, list[Decimal | None]]] = {}
    if wanted:
        parameters = {"rules": json.dumps(wanted), "max_values": MAX_VALUES - 1}
        for row in run_sql(connection, "alerts/load_recent_values", **parameters):
            by_key = found.setdefault(row["rule_id"], {})
            for key in keys[row["rule_id"]]:
                by_key.setdefault(key, []).insert(0, _value(row, key))
    return {**found}


def with_recent_values(
    result: EvaluationResult,
    recent_values: ValuesByKey,
    missed_at: datetime | None,
    trust: TrustState | None = None,
) -> EvaluationResult:
    """Return the result with what messages also show: recent values, when the rule was due, and its data."""
    notifications = [
        replace(_with_recent_values(each, recent_values), missed_at=missed_at, trust=trust)
        for each in result.notifications
    ]
    return result._replace(notifications=notifications)


def _with_recent_values(notification: Notification, recent_values: ValuesByKey) -> Notification:
    current = {
        key: [*recent_values[key], state.value]
        for key, state in notification.states.items()
        if key in recent_values
    }
    return replace(notification, recent_values=current) if current else notification


def _keys(rule: Rule, result: EvaluationResult) -> list[str]:
    if rule.key_columns and rule.measure.startswith("change"):
        return []
    return list(
        dict.fromkeys(key for each in result.notifications for key in _listed_keys(rule, each))
    )


def _listed_keys(rule: Rule, notification: Notification) -> Iterable[str]:
    worst_first = sort_worst_first(rule, notification.states, notification.expected)
    keys = (key for key, _ in worst_first[:MAX_KEYS])
    return (key for key in keys if bool(key) == bool(rule.key_columns))


def _value(row: RowMapping, key: str) -> Decimal | None:
    value = row["value"] if key == NO_KEY else (row["samples"] or {}).get(key)
    return None if value is None else Decimal(str(value))
