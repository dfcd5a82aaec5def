"""Build the message of a notification for the delivery engine.

Reads the settings; writes nothing. The messages of one rule and group share one topic, so that each
recipient gets them in order. They share one incident key, so that incident services update and resolve
the incident that the first of them opened.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from prefect.settings import get_current_settings

from analytics_worker.delivery.message import (
    Content,
    IncidentAction,
    Message,
    Recipient,
    Severity,
)
from analytics_worker.settings import settings
from analytics_worker.text import value_line
from flows.alerts.notifications.model import FIRING_KINDS, EventKind, Notification, start_time
from flows.alerts.notifications.recipients import resolve_recipients
from flows.alerts.notifications.rendering import render_notification
from flows.alerts.rules.model import Rule

ALERTS = "alerts"
"""Digest key of what starts to fire."""
TEXT_CHANNELS = {"webhook", "slack"}
"""Channels that use no HTML: it is not rendered for them."""

FOLLOWED_KINDS: Mapping[EventKind, Sequence[EventKind]] = {
    "resolved": FIRING_KINDS,
    "no_data": FIRING_KINDS,
    "ended": FIRING_KINDS,
    "error_resolved": ("error",),
    "missing_data_resolved": ("missing_data",),
}
"""For each kind that ends an alert or a failure: the kinds that start it."""

RESOLVED_KINDS: set[EventKind] = {"resolved", "ended", "error_resolved", "missing_data_resolved"}
INCIDENT_SUFFIXES: Mapping[EventKind, str] = {
    "error": "/error",
    "error_resolved": "/error",
    "missing_data": "/missing_data",
    "missing_data_resolved": "/missing_data",
}
"""Failures and missing data of a rule are incidents of their own."""


_SQL_LINE = re.compile(r" \(line \d+ of the SQL\)$")


def build_message(
    rule_id: int,
    rule: Rule,
    notification: Notification,
    now: datetime,
    uid: UUID,
    flow_run_id: object,
) -> Message:
    """Return the message of a notification to all its recipients; its id is that of the event."""
    recipients = notification.recipients or resolve_recipients(rule, notification.audience)
    html = any(each.channel not in TEXT_CHANNELS for each in recipients)
    topic = f"{rule_id}/{notification.group}"
    content = render_notification(
        rule, notification, now, str(uid), html=html, run_url=_run_url(flow_run_id)
    )
    return Message(
        domain="alerts",
        kind=notification.kind,
        content=content.model_copy(update=_incident(notification, topic)),
        recipients=recipients,
        topic=topic,
        owner=rule.owner,
        fallback=_fallback(rule, recipients),
        digest_key=_digest_key(notification),
        group_wait=timedelta(seconds=settings().alert_group_wait_seconds),
        id=uid,
    )


def followed_message_lookup(
    rule_id: int, notification: Notification, uid: UUID
) -> dict[str, Any] | None:
    """Return the lookup for `followed_messages`; None if the notification follows no other."""
    kinds, since = FOLLOWED_KINDS.get(notification.kind), start_time(notification)
    if kinds is None or since is None:
        return None
    return {
        "uid": uid,
        "rule_id": rule_id,
        "group_key": notification.group,
        "kinds": list(kinds),
        "since": since,
    }


def _fallback(rule: Rule, recipients: Sequence[Recipient]) -> list[Recipient]:
    """Return the recipients to notify if the message can't be delivered and there is no owner."""
    return list(dict.fromkeys([*recipients, *resolve_recipients(rule, "readers")]))


def _digest_key(notification: Notification) -> str:
    """Return what notifications have in common that one recipient gets as one message.

    Groups of ``group_by`` have none: the rule says that each of them is a message.
    """
    if notification.group:
        return ""
    cause = _SQL_LINE.sub("", notification.health.error or "")
    keys: Mapping[EventKind, str] = {
        "error": f"rules failed: {cause}",
        "error_resolved": f"rules recovered: {cause}",
        "missing_data": "rules without data",
        "missing_data_resolved": "rules have data again",
        "firing": ALERTS,
        "firing_again": ALERTS,
        "flapping": ALERTS,
        "still_firing": "alerts still firing",
        "resolved": "alerts resolved",
        "no_data": "alerts without data",
        "ended": "alerts ended",
    }
    return value_line(keys.get(notification.kind, ""))


def _incident(notification: Notification, topic: str) -> dict[str, Any]:
    return {
        "severity": message_severity(notification),
        "incident_action": _incident_action(notification),
        "incident_key": f"alert/{topic}{INCIDENT_SUFFIXES.get(notification.kind, '')}",
    }


def message_severity(notification: Notification) -> Severity:
    """Return the severity of the message."""
    return "ok" if notification.kind in RESOLVED_KINDS else notification.severity or "warning"


def _incident_action(notification: Notification) -> IncidentAction | None:
    """Return the action on the incident, which is resolved with the last key of its group."""
    if notification.kind not in RESOLVED_KINDS:
        return "trigger"
    return "resolve" if notification.is_last else None


def _run_url(flow_run_id: object) -> str:
    ui = get_current_settings().ui_url
    return f"{ui}/runs/flow-run/{flow_run_id}" if ui and flow_run_id else ""


def mark_as_test(content: Content, note: str, html: str | None) -> Content:
    """Return the content marked as a test, without effect on incidents."""
    return content.model_copy(
        update={
            "subject": f"[TEST] {content.subject}",
            "text": f"{note}\n\n{content.text}",
            "html": html,
            "json_body": {**(content.json_body or {}), "test": True},
            "severity": "info",
        }
    )
