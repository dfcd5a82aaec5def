"""Create and close alerts in Opsgenie with its Alert API.

The alerts of one incident share its key as alias, so that a repeated or later message counts up the
open alert. Closing an alert that is not open is as good as closing it.

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
from analytics_worker.delivery.channels.card import Card, card, labeled_values
from analytics_worker.delivery.channels.opening import http_channel
from analytics_worker.delivery.channels.pagerduty import short_key
from analytics_worker.delivery.message import OutgoingMessage, Severity
from analytics_worker.quoting import quoted_reply
from analytics_worker.send_result import SENT, SendResult
from analytics_worker.telemetry import timed_request
from analytics_worker.transport.http import (
    UNAUTHORIZED,
    HttpAnswer,
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
    body = closing(message) if closes else alert(message, alias)
    headers = {"Authorization": f"GenieKey {api_key.get_secret_value()}"}
    answer = http.post_json(path, body, headers)
    if isinstance(answer, SendResult):
        return answer
    result = _result(answer, api_key.get_secret_value(), closes=closes)
    return replace(result, receipt={"alias": alias}) if result.status == "sent" else result


def alert(message: OutgoingMessage, alias: str) -> Json:
    """Return the alert that a message creates or updates."""
    content, shown = message.content, card(message.content)
    title = escaping.single_line(shown.title) or "(no subject)"
    return {
        "message": escaping.cut(title, MAX_MESSAGE, escape=escaping.incident),
        "alias": alias,
        "description": _with_links(content.text, shown, MAX_DESCRIPTION),
        "details": _details(shown),
        "tags": [SOURCE],
        "source": SOURCE,
        "priority": PRIORITIES[content.severity],
    }


def closing(message: OutgoingMessage) -> Json:
    """Return what is noted when an alert is closed."""
    shown = card(message.content)
    return {"source": SOURCE, "note": _with_links(message.content.text, shown, MAX_NOTE)}


def _with_links(text: str, shown: Card, limit: int) -> str:
    """Return the text and below it the links, which are never cut off."""
    links = "".join(f"\n{_short(link.label)}: {link.url}" for link in shown.links)
    missing = "".join(f"\n{_short(name)} (not attached)" for name in shown.missing)
    end = escaping.cut(f"{links}{missing}", limit // 2)
    return _cut(text, limit - escaping.utf16_units(end)) + end


def _details(shown: Card) -> dict[str, str]:
    """Return labels and values, as many as the limit has room for."""
    details: dict[str, str] = {}
    room = MAX_DETAILS
    for key, value in labeled_values(shown, _short):
        text = _cut(value, MAX_VALUE)
        room -= escaping.utf16_units(key + text)
        if room >= 0:
            details[key] = text
    return details


def _short(text: str) -> str:
    return _cut(text, MAX_LABEL)


def _cut(text: str, limit: int) -> str:
    return escaping.cut(text, limit, escape=escaping.incident)


def _result(answer: HttpAnswer, api_key: str, *, closes: bool) -> SendResult:
    if closes and answer.status == NOT_FOUND:
        return SENT
    if answer.status in UNAUTHORIZED:
        return answer.refused_credentials("check the API key and that it may create alerts")
    reason = quoted_reply(str(answer.fields().get("message", "")), api_key, name="API key")
    return answer.result(reason[:MAX_REASON])
