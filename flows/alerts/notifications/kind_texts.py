"""Define the texts of the standard message that depend on the kind of a notification.

Reads nothing, writes nothing.
"""

from analytics_worker.delivery.kind_label import kind_label
from flows.alerts.notifications.model import EventKind, Notification
from flows.alerts.rules.model import Rule

HEADLINES: dict[EventKind, str] = {
    "firing": "Alert firing",
    "firing_again": "Alert firing again: data is available again, and its condition is still met",
    "still_firing": "Alert still firing",
    "resolved": "Alert resolved",
    "no_data": "No data for a firing alert",
    "flapping": "Alert flapping: no further notifications until its state is stable",
    "error": "Rule failed: it can't be evaluated",
    "ended": "Alert ended without being resolved",
    "error_resolved": "Rule recovered: it can be evaluated again",
    "missing_data": "Rule without data: it can't notify of anything",
    "missing_data_resolved": "Rule recovered: its data is available again",
}
_TEST_HINT = "Run `analytics-worker alerts test` with the name of the rule to see the error."
_HINTS: dict[EventKind, str] = {
    "error": f"Sent to the owner of the rule; its recipients were not notified. {_TEST_HINT}",
    "no_data": "You will be notified when data shows that it is resolved or still firing.",
    "missing_data": (
        "If this is normal, set on_empty: ok in the rule, or on_missing_key: resolve if it has key_columns."
    ),
}
COLORS = {
    "critical": "#c81e1e",
    "warning": "#b45309",
    "resolved": "#15803d",
    "error_resolved": "#15803d",
    "missing_data_resolved": "#15803d",
}


def hint(rule: Rule, kind: EventKind) -> str | None:
    """Return what the recipient should know, beside the facts."""
    if kind == "error" and not rule.owner:
        return f"Sent to the recipients of the rule, because it has no owner. {_TEST_HINT}"
    return _HINTS.get(kind)


def label(notification: Notification) -> str:
    """Return the label of the subject, such as ``STILL CRITICAL``."""
    return kind_label(notification.kind, notification.severity)
