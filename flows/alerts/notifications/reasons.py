"""Say why an alert has no value of the current evaluation.

Reads nothing, writes nothing.
"""

from collections.abc import Mapping
from datetime import datetime

from analytics_worker.definitions.durations import format_duration
from flows.alerts.evaluation.observation import Failure, Observation
from flows.alerts.evaluation.samples import Samples
from flows.alerts.evaluation.state_machine import AlertState, States
from flows.alerts.notifications.model import Notification
from flows.alerts.rules.model import Rule


def reasons_without_value(
    rule: Rule, states: States, observation: Observation, rows: int | None
) -> Mapping[str, str]:
    """Return the reason by key, for keys that have one; ``rows`` is the number of rows of the SQL."""
    if isinstance(observation, Failure):
        return dict.fromkeys(states, f"the SQL failed: {observation.message}")
    found: dict[str, str] = {}
    for key, state in states.items():
        reason = _of_state(rule, state) or (
            _of_sample(key, observation, rows)
            if isinstance(observation, dict) and (state.value is None or state.missing_since)
            else None
        )
        if reason:
            found[key] = reason
    return found


def _of_state(rule: Rule, state: AlertState) -> str | None:
    if state.status != "firing" or state.ok_since is None:
        return None
    return f"the condition is no longer met; keep_firing_for is {format_duration(rule.keep_firing_for)}"


def _of_sample(key: str, samples: Samples, rows: int | None) -> str:
    if rows == 0 or key not in samples:
        return "no row for this key" if key else "no rows"
    if samples[key] is None:
        return "the value is NULL or NaN"
    return "no earlier value to compare with"


def reason_text(notification: Notification) -> str | None:
    """Return why the alert ended, or why its keys have no current value if it is the same for all."""
    if notification.end_reason:
        return notification.end_reason
    reasons = {notification.reasons.get(key) for key in notification.states}
    return reasons.pop() if len(reasons) == 1 else None


def older_values_at(notification: Notification, now: datetime) -> datetime | None:
    """Return the time of the values if it is not that of the notification."""
    return notification.values_at if notification.values_at != now else None
