"""Create and close alerts in Opsgenie with its Alert API.

The alerts of one incident share its key as alias, so that a repeated or later message increases the
count of the open alert. Closing an alert that is not open counts as success.

Sources: https://docs.opsgenie.com/docs/alert-api (message 130, alias 512, description 15000, 20 tags of
50, details 8000, note 25000, close by alias, 202), https://docs.opsgenie.com/docs/response (422, 429).
Reads ``WEBHOOK_*`` settings; writes nothing but alerts, which Opsgenie deduplicates by alias.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from pydantic import SecretStr

from analytics_worker.delivery import escaping
from analytics_worker.delivery.channels.base import Channel, Sender
from analytics_worker.delivery.channels.card import Card, card_of, labeled_values
from analytics_worker.delivery.channels.factory import http_channel
from analytics_worker.delivery.channels.pagerduty import short_key
from analytics_worker.delivery.message import OutgoingMessage, Severity
from analytics_worker.quoting import quoted_reply
from analytics_worker.send_result import SENT, SendResult
from analytics_worker.telemetry import timed_request
from analytics_worker.transport.http import (
    UNAUTHORIZED,
    HttpResponse,
    HttpSession,
    http_session,
)
from analytics_worker.transport.webhook_url import parse_url
from blocks.notifications import OpsgenieChannel, Region

API_URLS: dict[Region, str] = {
    "us": "https://api.opsgenie.com",
    "eu": "https://api.eu.opsgenie.com",
}
PATH = "/v2/alerts"
SOURCE = "analytics-worker"
MAX_MESSAGE = 130
MAX_DESCRIPTION = 15_000
MAX_DETAILS = 8000
MAX_LABEL = 100
MAX_VALUE = 500
MAX_NOTE = 25_000
MAX_REASON = 200
NOT_FOUND = 404

PRIORITIES: dict[Severity | None, str] = {
    "critical": "P1",
    "warning": "P3",
    "info": "P5",
    "ok": "P5",
    None: "P4",
}

Json = dict[str, Any]


def open_channel(name: str, block: OpsgenieChannel) -> Channel:
    """Return the channel of a block; nothing is opened before its session is."""
    url = API_URLS[block.region]

    @contextmanager
    def session() -> Generator[Sender]:
        with http_session(url) as http:
            yield lambda message: _request(http, block.api_key, message)

    opened = http_channel(name, "opsgenie", parse_url(url).host, session, block.rate)
    return replace(opened, digestible=False)


@timed_request("opsgenie")
def _request(http: HttpSession, api_key: SecretStr, message: OutgoingMessage) -> SendResult:
    alias = short_key(message.content.incident_key or message.key)
    closes = message.content.incident_action == "resolve"
    path = f"{PATH}/{quote(alias, safe='')}/close?identifierType=alias" if closes else PATH
    body = closing_note(message) if closes else alert(message, alias)
    headers = {"Authorization": f"GenieKey {api_key.get_secret_value()}"}
    response = http.post_json(path, body, headers)
    if isinstance(response, SendResult):
        return response
    result = _result(response, api_key.get_secret_value(), closes=closes)
    return replace(result, receipt={"alias": alias}) if result.status == "sent" else result


def alert(message: OutgoingMessage, alias: str) -> Json:
    """Return the alert that a message creates or updates."""
    content, card = message.content, card_of(message.content)
    title = escaping.single_line(card.title) or "(no subject)"
    return {
        "message": escaping.cut(title, MAX_MESSAGE, escape=escaping.incident),
        "alias": alias,
        "description": _with_links(content.text, card, MAX_DESCRIPTION),
        "details": _details(card),
        "tags": [SOURCE],
        "source": SOURCE,
        "priority": PRIORITIES[content.severity],
    }


def closing_note(message: OutgoingMessage) -> Json:
    """Return the note of a closed alert."""
    card = card_of(message.content)
    return {"source": SOURCE, "note": _with_links(message.content.text, card, MAX_NOTE)}


def _with_links(text: str, card: Card, limit: int) -> str:
    """Return the text, followed by the links, which are never cut."""
    links = "".join(f"\n{_short(link.label)}: {link.url}" for link in card.links)
    missing = "".join(f"\n{_short(name)} (not attached)" for name in card.missing)
    end = escaping.cut(f"{links}{missing}", limit // 2)
    return _cut(text, limit - escaping.utf16_units(end)) + end


def _details(card: Card) -> dict[str, str]:
    """Return labels and values, as many as fit the limit."""
    details: dict[str, str] = {}
    remaining = MAX_DETAILS
    for key, value in labeled_values(card, _short):
        text = _cut(value, MAX_VALUE)
        remaining -= escaping.utf16_units(key + text)
        if remaining >= 0:
            details[key] = text
    return details


def _short(text: str) -> str:
    return _cut(text, MAX_LABEL)


def _cut(text: str, limit: int) -> str:
    return escaping.cut(text, limit, escape=escaping.incident)


def _result(response: HttpResponse, api_key: str, *, closes: bool) -> SendResult:
    if closes and response.status == NOT_FOUND:
        return SENT
    if response.status in UNAUTHORIZED:
        return response.refused_credentials("check the API key and that it may create alerts")
    reason = quoted_reply(str(response.fields().get("message", "")), api_key, name="API key")
    return response.result(reason[:MAX_REASON])
