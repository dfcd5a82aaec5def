"""Turn a notice into a message of the delivery engine: recipients, order, incident, last resort.

Reads the settings; writes nothing. The messages of one rule and group have one topic, so that each
recipient gets them in order, and one incident key, so that incident services update and close what the
first of them opened.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from prefect.settings import get_current_settings

from analytics_worker.delivery.message import (
    Content,
    IncidentAction,
    Link,
    Message,
    Recipient,
    Severity,
)
from flows.alerts.notifications.model import EventKind, Notice, began
from flows.alerts.notifications.recipients import recipients
from flows.alerts.notifications.rendering import render_notice
from flows.alerts.rules.model import Rule

PLAIN = {"webhook", "slack"}
"""Channels that show no HTML: it is not rendered for them."""

FOLLOWED: Mapping[EventKind, Sequence[EventKind]] = {
    "resolved": ("firing", "still_firing", "flapping"),
    "no_data": ("firing", "still_firing", "flapping"),
    "error_resolved": ("error",),
}
"""By what says that something is over: what said that it began."""

ENDS: set[EventKind] = {"resolved", "error_resolved"}
OWNER_KINDS: set[EventKind] = {"error", "error_resolved"}


def notification(
    rule_id: int, rule: Rule, notice: Notice, now: datetime, uid: UUID, flow_run_id: object
) -> Message:
    """Return the message of a notice to all its recipients; its id is that of the event."""
    people = recipients(rule, notice.audience)
    html = any(each.channel not in PLAIN for each in people)
    topic = f"{rule_id}/{notice.group}"
    content = render_notice(rule, notice, now, str(uid), html=html)
    return Message(
        domain="alerts",
        kind=notice.kind,
        content=content.model_copy(update=_incident(notice, topic) | _links(flow_run_id)),
        recipients=people,
        topic=topic,
        owner=rule.owner,
        fallback=_fallback(rule, people),
        id=uid,
    )


def wanted_first(rule_id: int, notice: Notice, uid: UUID) -> dict[str, Any] | None:
    """Return what `first_messages` needs to find what this notice follows; None: it follows nothing."""
    kinds, since = FOLLOWED.get(notice.kind), began(notice)
    if kinds is None or since is None:
        return None
    return {
        "uid": uid,
        "rule_id": rule_id,
        "group_key": notice.group,
        "kinds": list(kinds),
        "since": since,
    }


def _fallback(rule: Rule, people: Sequence[Recipient]) -> list[Recipient]:
    """Return the other people whom the rule concerns."""
    return list(dict.fromkeys([*people, *recipients(rule, "readers")]))


def _incident(notice: Notice, topic: str) -> dict[str, Any]:
    return {
        "severity": severity(notice),
        "incident_action": _action(notice),
        "incident_key": f"alert/{topic}{'/error' if notice.kind in OWNER_KINDS else ''}",
    }


def severity(notice: Notice) -> Severity:
    """Return how urgent the message is."""
    return "ok" if notice.kind in ENDS else notice.severity or "warning"


def _action(notice: Notice) -> IncidentAction | None:
    """Return what becomes of the incident: it ends when the last key of its group is over."""
    if notice.kind not in ENDS:
        return "trigger"
    return "resolve" if notice.is_last else None


def _links(flow_run_id: object) -> dict[str, Any]:
    ui = get_current_settings().ui_url
    url = f"{ui}/runs/flow-run/{flow_run_id}" if ui and flow_run_id else ""
    return {"links": (Link(label="Open the run", url=url),)} if url else {}


def as_test(content: Content, note: str, html: str | None) -> Content:
    """Return the content as a test message: marked as one, and without effect on incidents."""
    return content.model_copy(
        update={
            "subject": f"[TEST] {content.subject}",
            "text": f"{note}\n\n{content.text}",
            "html": html,
            "json_body": {**(content.json_body or {}), "test": True},
            "severity": "info",
        }
    )
