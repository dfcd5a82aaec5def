"""Open and resolve alerts in PagerDuty with its Events API v2; reports become change events.

The alerts of one incident share its key (``dedup_key``), so that a repeated or later message updates
the open alert. A message that is neither an incident nor a warning becomes a change event, which does not
page.

Sources: https://developer.pagerduty.com/docs/send-alert-event (fields, summary 1024, dedup_key 255),
https://developer.pagerduty.com/docs/events-api-v2-overview (202, 400, 429, 512 KB),
https://developer.pagerduty.com/docs/send-change-event.
Reads ``WEBHOOK_*`` settings; writes nothing but events, which PagerDuty deduplicates by ``dedup_key``.
"""

import hashlib
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

from analytics_worker.delivery import escaping
from analytics_worker.delivery.channels.base import Channel, Sender
from analytics_worker.delivery.channels.card import Card, card_of, labeled_values
from analytics_worker.delivery.channels.factory import http_channel
from analytics_worker.delivery.message import Content, OutgoingMessage, Severity
from analytics_worker.quoting import quoted_reply
from analytics_worker.send_result import SendResult, permanent
from analytics_worker.telemetry import timed_request
from analytics_worker.transport.http import (
    UNAUTHORIZED,
    HttpResponse,
    HttpSession,
    http_session,
    json_bytes,
)
from analytics_worker.transport.webhook_url import parse_url
from blocks.notifications import PagerDutyChannel, Region

API_URLS: dict[Region, str] = {
    "us": "https://events.pagerduty.com",
    "eu": "https://events.eu.pagerduty.com",
}
ALERT_PATH = "/v2/enqueue"
CHANGE_PATH = "/v2/change/enqueue"
SOURCE = "analytics-worker"
MAX_SUMMARY = 1024
MAX_KEY = 255
MAX_LABEL = 100
MAX_BYTES = 500_000
# The maximal length of one text of an event: more than most need, then less until the event fits.
BUDGETS = (4000, 1000, 200)
BAD_REQUEST = 400
RESERVED_LABELS = ("items", "text")

SEVERITIES: dict[Severity | None, str] = {
    "critical": "critical",
    "warning": "warning",
    "info": "info",
    "ok": "info",
    None: "warning",
}

Json = dict[str, Any]


def open_channel(name: str, block: PagerDutyChannel) -> Channel:
    """Return the channel of a block; nothing is opened before its session is."""
    url = API_URLS[block.region]

    @contextmanager
    def session() -> Generator[Sender]:
        with http_session(url) as http:
            yield lambda message: _enqueue(http, block.routing_key, message)

    opened = http_channel(name, "pagerduty", parse_url(url).host, session, block.rate)
    return replace(opened, digestible=False)


@timed_request("pagerduty")
def _enqueue(http: HttpSession, routing_key: SecretStr, message: OutgoingMessage) -> SendResult:
    path, event = event_of(message)
    response = http.post_json(path, {"routing_key": routing_key.get_secret_value(), **event})
    if isinstance(response, SendResult):
        return response
    result = _result(response, routing_key.get_secret_value())
    receipt = {"dedup_key": str(event["dedup_key"])} if "dedup_key" in event else {}
    return replace(result, receipt=receipt) if result.status == "sent" else result


def event_of(message: OutgoingMessage) -> tuple[str, Json]:
    """Return the path and the event without the routing key, shortened until it fits."""
    path, event = "", {}
    for budget in BUDGETS:
        path, event = _event(message, budget)
        if len(json_bytes(event)) <= MAX_BYTES:
            break
    return path, event


def _event(message: OutgoingMessage, budget: int) -> tuple[str, Json]:
    content, card = message.content, card_of(message.content)
    key = short_key(content.incident_key or message.key)
    if content.incident_action == "resolve":
        return ALERT_PATH, {"event_action": "resolve", "dedup_key": key}
    payload = _payload(content, card, budget)
    if content.incident_action is None and content.severity in {None, "info", "ok"}:
        payload["timestamp"] = _timestamp(content)
        return CHANGE_PATH, {"payload": payload, "links": _links(card)}
    payload["severity"] = SEVERITIES[content.severity]
    event = {"event_action": "trigger", "dedup_key": key, "client": SOURCE}
    return ALERT_PATH, {**event, "payload": payload, "links": _links(card)}


def short_key(key: str) -> str:
    """Return a key that PagerDuty accepts: the same for the same text, of any length."""
    plain = escaping.single_line(key)
    if plain == key and escaping.utf16_units(key) <= MAX_KEY:
        return key
    return f"sha256-{hashlib.sha256(key.encode(errors='surrogatepass')).hexdigest()}"


def _payload(content: Content, card: Card, budget: int) -> Json:
    title = escaping.single_line(card.title) or "(no subject)"
    return {
        "summary": escaping.cut(title, MAX_SUMMARY, escape=escaping.incident),
        "source": SOURCE,
        "custom_details": _details(content, card, budget),
    }


def _details(content: Content, card: Card, budget: int) -> Json:
    """Return labels and values, and the complete text."""
    pairs = labeled_values(card, lambda label: _short(label, MAX_LABEL), RESERVED_LABELS)
    details: Json = {label: _short(value, budget) for label, value in pairs}
    if card.items:
        details["items"] = [_short(item, budget) for item in card.items]
    return details | {"text": _short(content.text, 10 * budget)}


def _links(card: Card) -> list[Json]:
    return [{"href": link.url, "text": _short(link.label, MAX_LABEL)} for link in card.links]


def _short(text: str, limit: int) -> str:
    return escaping.cut(text, limit, escape=escaping.incident)


def _timestamp(content: Content) -> str:
    return (content.sent_as or datetime.now(UTC)).isoformat(timespec="milliseconds")


def _result(response: HttpResponse, routing_key: str) -> SendResult:
    if response.status in UNAUTHORIZED:
        return response.refused_credentials("check the routing key")
    if response.status == BAD_REQUEST:
        reason = quoted_reply(_reason(response.fields()), routing_key, name="routing key")
        return permanent(f"PagerDuty refuses the event: {reason}", code=response.status)
    return response.result()


def _reason(fields: Mapping[str, Any]) -> str:
    errors = fields.get("errors")
    details = [str(error) for error in errors] if isinstance(errors, list) else []
    return "; ".join([str(fields.get("message", "no reason given")), *details])
